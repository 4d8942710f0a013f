import { type AddressPolicy, AtelierError, createAddressPolicy } from '../core/index.ts'
import type { ServerConfig } from './config.ts'

/** Where the server connects to for tenants. Throws INVALID_INPUT that names the network that is none. */
export function addressPolicyOf(config: ServerConfig): AddressPolicy {
  const list = (name: 'source-allow' | 'source-deny') => {
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
  return createAddressPolicy({ allow: list('source-allow'), deny: list('source-deny') })
}
