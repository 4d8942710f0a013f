import { lookup as lookupName } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { type AddressPolicy, AtelierError } from '../../core/index.ts'

/**
 * The way from a host that a tenant named to an address: judged after the name was looked up and before anything
 * connects, so that no name can mean one thing when it is checked and another when it is used.
 */
export interface Network {
  /** For `http.request`. Does not see literal addresses: `allow` is for those. */
  readonly lookup: LookupFunction
  /** An address of the host that may be connected to. FORBIDDEN, or UNAVAILABLE when the name is not known. */
  resolve(host: string): Promise<string>
}

export function guardedNetwork(addresses: AddressPolicy): Network {
  const lookup: LookupFunction = (host, options, callback) => {
    lookupName(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(unknown(host, error), '', 0)
      // All must be allowed: which one is connected to is not decided here.
      const [first] = found
      if (first === undefined || found.some(each => !addresses.allows(each.address)))
        return callback(forbidden(host), '', 0)
      if (options.all) return callback(null, found)
      callback(null, first.address, first.family)
    })
  }
  return {
    lookup,
    async resolve(given) {
      const host = given.replace(/^\[(.*)\]$/, '$1')
      if (isIP(host) !== 0) {
        if (addresses.allows(host)) return host
        throw forbidden(host)
      }
      return new Promise((resolve, reject) => {
        lookup(host, { all: false }, (error, address) => {
          if (error) reject(error)
          else resolve(address as string)
        })
      })
    },
  }
}

function forbidden(host: string): AtelierError {
  return new AtelierError(
    'FORBIDDEN',
    `The server does not connect to ${host}: addresses of its own machine, link-local ones and those that the operator ` +
      'denied are not for event sources (setting "source-allow").',
  )
}

function unknown(host: string, cause: Error): AtelierError {
  return new AtelierError('UNAVAILABLE', `The name ${host} cannot be found.`, { cause })
}
