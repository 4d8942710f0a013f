import { lookup as lookupName } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { AddressPolicy } from '../../core/index.ts'
import type { QueueConfig } from './config.ts'
import { type BrokerName, readServer, type ServerAddress } from './servers.ts'
import { SourceError } from './source.ts'

/**
 * The way from a tenant's words to a socket: every address is judged after the name was looked up and before anything
 * connects, so that no name can mean one thing when it is checked and another when it is used.
 */
export interface SourceNetwork {
  /** For `net.connect` and `tls.connect`: fails for addresses that are not allowed. Does not see literal addresses. */
  readonly lookup: LookupFunction
  /** An allowed address of the host. Rejects with a SourceError. */
  resolve(host: string): Promise<string>
}

export function createSourceNetwork(policy: AddressPolicy): SourceNetwork {
  const lookup: LookupFunction = (host, options, callback) => {
    lookupName(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(new SourceError(`the name ${host} cannot be found`, error), '', 0)
      // All must do: which one is connected to is not decided here.
      const forbidden = addresses.find(each => !policy.allows(each.address))
      if (forbidden || addresses.length === 0) return callback(notAllowed(host), '', 0)
      if (options.all) return callback(null, addresses)
      callback(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
  return {
    lookup,
    resolve: host =>
      new Promise((resolve, reject) => {
        if (isIP(host) !== 0) return policy.allows(host) ? resolve(host) : reject(notAllowed(host))
        lookup(host, { all: false }, (error, address) => {
          if (error) reject(error)
          else resolve(address as string)
        })
      }),
  }
}

/** The servers of a configuration that was checked. */
export function serversOf(broker: BrokerName, config: QueueConfig): readonly ServerAddress[] {
  return (config.servers ?? []).map(text => {
    const read = readServer(broker, text)
    if ('problem' in read) throw new SourceError(`${text} ${read.problem}`)
    return read
  })
}

/** What `tls.connect` is told for this server; `undefined` when nothing is encrypted. */
export function tlsOf(config: QueueConfig, server: ServerAddress): ConnectionOptions | undefined {
  if (!server.encrypted && config.tls === undefined) return undefined
  const { ca, cert, key, serverName } = config.tls ?? {}
  const name = serverName ?? (isIP(server.host) === 0 ? server.host : undefined)
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(name !== undefined && { servername: name }),
    minVersion: 'TLSv1.2',
  }
}

function notAllowed(host: string): SourceError {
  return new SourceError(
    `the server does not connect to ${host}: addresses of its own machine, link-local ones and those that the operator ` +
      'denied are not for event sources (setting "source-allow")',
  )
}
