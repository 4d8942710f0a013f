import { type AddressPolicy, AtelierError, createAddressPolicy } from '../core/index.ts'
import type { ServerConfig } from './config.ts'

/** Where the server connects to for tenants: triggers to their sources, destinations to their webhooks, deploys to registries. */
export interface AddressPolicies {
  readonly sources: AddressPolicy
  readonly webhooks: AddressPolicy
  readonly registries: AddressPolicy
}

/** Throws INVALID_INPUT that names the network that is none. */
export function addressPoliciesOf(config: ServerConfig): AddressPolicies {
  const list = (name: 'source-allow' | 'source-deny' | 'registry-allow') => {
    const networks = config[name].split(',').flatMap(each => each.trim() || [])
    try {
      createAddressPolicy({ allow: networks })
    } catch (error) {
      if (error instanceof RangeError)
        throw new AtelierError('INVALID_INPUT', `The setting ${name} is not valid: ${error.message}.`)
      throw error
    }
    return networks
  }
  const options = { allow: list('source-allow'), deny: list('source-deny') }
  return {
    sources: createAddressPolicy(options),
    webhooks: createAddressPolicy({ ...options, local: config['local-webhooks'] }),
    registries: createAddressPolicy({ ...options, allow: list('registry-allow') }),
  }
}
