import { describe } from 'node:test'
import { KeystoneClient, type KeystonePlace } from '../support/keystone-client.ts'
import { accountTests } from './keystone/accounts.ts'
import { credentialTests } from './keystone/credentials.ts'
import { tokenTests } from './keystone/tokens.ts'
import { trustTests } from './keystone/trusts.ts'
import { validationTests } from './keystone/validation.ts'

/**
 * What Keystone v3 answers: statuses, headers and the names in bodies. Run over ours and over the real one, it proves that
 * clients cannot tell them apart in what it looks at.
 */
export function keystoneSuite(
  name: string,
  open: () => Promise<KeystonePlace>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`${name} speaks Keystone v3`, { skip: options.skip ?? false }, () => {
    const client = new KeystoneClient(open)
    tokenTests(client)
    validationTests(client)
    accountTests(client)
    credentialTests(client)
    trustTests(client)
  })
}
