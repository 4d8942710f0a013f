import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { type AddressPolicy, type GuardedNetwork, guardNetwork } from '../../core/index.ts'
import type { QueueConfig } from './config.ts'
import { type BrokerName, readServer, type ServerAddress } from './servers.ts'
import { SourceError } from './source.ts'

/** The way to brokers that tenants name; its errors are SourceErrors. */
export function createSourceNetwork(policy: AddressPolicy): GuardedNetwork {
  return guardNetwork(policy, problem =>
    problem.kind === 'unknown'
      ? new SourceError(`the name ${problem.host} cannot be found`, problem.cause)
      : notAllowed(problem.host),
  )
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
