import { lookup as lookupName } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { AddressPolicy } from './addresses.ts'

/**
 * The way from a host that a tenant named to an address: judged after the name was looked up and before anything
 * connects, so that no name can mean one thing when it is checked and another when it is used.
 */
export interface GuardedNetwork {
  /** For `net.connect`, `http.request` and their like. Does not see literal addresses: `resolve` is for those. */
  readonly lookup: LookupFunction
  /** An address of the host (a name, or an address with or without brackets) that may be connected to. Rejects with `errorOf`. */
  resolve(host: string): Promise<string>
}

/** Why a host cannot be connected to: no such name, or an address that the policy forbids. */
export type HostProblem =
  | { readonly kind: 'unknown'; readonly host: string; readonly cause: Error }
  | { readonly kind: 'forbidden'; readonly host: string }

/** `errorOf` makes the error that the caller's part throws. */
export function guardNetwork(
  policy: AddressPolicy,
  errorOf: (problem: HostProblem) => Error,
): GuardedNetwork {
  const lookup: LookupFunction = (host, options, callback) => {
    lookupName(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(errorOf({ kind: 'unknown', host, cause: error }), '', 0)
      // All must be allowed: which one is connected to is not decided here.
      const [first] = found
      if (first === undefined || found.some(each => !policy.allows(each.address)))
        return callback(errorOf({ kind: 'forbidden', host }), '', 0)
      if (options.all) return callback(null, found)
      callback(null, first.address, first.family)
    })
  }
  return {
    lookup,
    async resolve(given) {
      const host = given.replace(/^\[(.*)\]$/, '$1')
      if (isIP(host) !== 0) {
        if (policy.allows(host)) return host
        throw errorOf({ kind: 'forbidden', host })
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
