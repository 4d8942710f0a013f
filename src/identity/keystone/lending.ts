import type { Lending } from '../identity.ts'
import { trustEnded } from '../lending.ts'
import type { KeystoneClient } from './client.ts'

/** Lending by trusts of Keystone, to the server's own user. */
export function keystoneLending(client: KeystoneClient): Lending {
  return {
    authUrl: client.url,
    lend: (token, projectId, roles) => client.createTrust(token, projectId, roles),
    isLent: async trustId => (await client.borrow(trustId)) !== undefined,
    async borrow(trustId) {
      const issued = await client.borrow(trustId)
      if (!issued) throw trustEnded()
      return { token: issued.token, expiresAt: issued.what.expiresAt }
    },
    giveBack: trustId => client.deleteTrust(trustId),
  }
}
