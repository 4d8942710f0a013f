import type { SourceName } from './schema.ts'

export type BrokerName = Exclude<SourceName, 'topic'>

/** Schemes of each broker: without and with encryption. */
export const SCHEMES: Readonly<Record<BrokerName, readonly [plain: string, encrypted: string]>> = {
  nats: ['nats', 'nats+tls'],
  rabbitmq: ['amqp', 'amqps'],
  kafka: ['kafka', 'kafka+tls'],
  mqtt: ['mqtt', 'mqtts'],
  redis: ['redis', 'rediss'],
}

const PORTS: Readonly<Record<BrokerName, readonly [plain: number, encrypted: number]>> = {
  nats: [4222, 4222],
  rabbitmq: [5672, 5671],
  kafka: [9092, 9092],
  mqtt: [1883, 8883],
  redis: [6379, 6379],
}

export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly encrypted: boolean
  /** What follows the port, without its slash and decoded: virtual host (rabbitmq), database (redis). */
  readonly path: string
}

/** Reads one address of a broker. What is wrong with it is a sentence for the person who wrote it. */
export function readServer(broker: BrokerName, text: string): ServerAddress | { readonly problem: string } {
  const [plain, encrypted] = SCHEMES[broker]
  const example = `${plain}://broker.example:${PORTS[broker][0]}`
  const parts = /^([a-z+]+):\/\/([^/?#]+)(?:\/([^?#]*))?(.*)$/i.exec(text)
  if (!parts) return { problem: `is not an address like ${example}` }
  const [, scheme = '', authority = '', path = '', rest] = parts
  const way = [plain, encrypted].indexOf(scheme.toLowerCase())
  if (way < 0) return { problem: `begins with "${scheme}:"; this source has ${plain}: and ${encrypted}:` }
  if (authority.includes('@'))
    return { problem: 'must not contain a password: use the fields username and password' }
  if (rest !== '') return { problem: 'must not have a query or a fragment' }
  const place = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(authority)
  const port = Number(place?.[2] ?? PORTS[broker][way as 0 | 1])
  if (!place || port < 1 || port > 65_535)
    return { problem: `does not name a host and a port like ${example}` }
  if (path !== '' && broker !== 'rabbitmq' && broker !== 'redis') return { problem: 'must not have a path' }
  if (broker === 'redis' && !/^\d{0,4}$/.test(path))
    return { problem: 'must end with the number of a database' }
  const decoded = decode(path)
  if (decoded === undefined) return { problem: 'has a path that cannot be decoded' }
  return { host: place[1]!.replace(/^\[|\]$/g, ''), port, encrypted: way === 1, path: decoded }
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
