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

/** What is wrong with the encryption of a connection, in words for the trigger's owner; `undefined` when it is something else. */
export function tlsProblemOf(thrown: unknown): string | undefined {
  const text = wordsOf(thrown, CAUSES_MAX)
  if (/SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED|INVALID_CA/.test(text))
    return 'its certificate is not signed by anybody who is trusted here: give the authority\'s certificate as "tls.ca"'
  if (text.includes('ERR_TLS_CERT_ALTNAME_INVALID'))
    return 'its certificate is for another name: that can be given as "tls.serverName"'
  if (/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/.test(text)) return 'its certificate is not valid at this time'
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(text)) return 'it does not speak TLS at this port'
  if (/ALERT/.test(text))
    return 'it refused the encryption: it may want a certificate ("tls.cert", "tls.key")'
  return /certificate|\b(TLS|SSL)\b/i.test(text) ? 'the encrypted connection failed' : undefined
}

const CAUSES_MAX = 6

/** Codes and messages of an error and of what caused it. */
function wordsOf(thrown: unknown, causesMax: number): string {
  if (!(thrown instanceof Error) || causesMax === 0) return ''
  const causes = thrown instanceof AggregateError ? [thrown.cause, ...thrown.errors] : [thrown.cause]
  const own = `${'code' in thrown ? String(thrown.code) : ''} ${thrown.message}`
  return [own, ...causes.map(each => wordsOf(each, causesMax - 1))].join(' ')
}

function notAllowed(host: string): SourceError {
  return new SourceError(
    `the server does not connect to ${host}: addresses of its own machine, link-local ones and those that the operator ` +
      'denied are not for event sources (setting "source-allow")',
  )
}
