import type { InputError } from '../../core/index.ts'
import type { CheckedConfig } from '../kind.ts'
import type { SourceName } from './schema.ts'
import { readServer, SCHEMES } from './servers.ts'

/** A configuration that was checked and completed. Fields that a source does not have are absent. */
export interface QueueConfig {
  readonly source: SourceName
  readonly servers?: readonly string[]
  readonly topic?: string
  readonly stream?: string
  readonly subject?: string
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly group?: string
  readonly from?: 'oldest' | 'new'
  readonly field?: string
  readonly username?: string
  readonly password?: string
  readonly token?: string
  readonly sasl?: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly serverName?: string
  }
  readonly delivery: 'call' | 'async'
  readonly concurrency: number
  readonly batch: { readonly size: number; readonly windowMs: number }
  readonly ordering: 'none' | 'key'
  readonly retries: number
  readonly retryDelayMs: number
  readonly retryDelayMsMax: number
  readonly errorTopic?: string
  readonly responseTopic?: string
  readonly filter?: readonly unknown[]
}

type Field = keyof QueueConfig

const EVERYWHERE: readonly Field[] = [
  'source',
  'delivery',
  'concurrency',
  'batch',
  'ordering',
  'retries',
  'retryDelayMs',
  'retryDelayMsMax',
  'errorTopic',
  'responseTopic',
  'filter',
]
const LOGIN: readonly Field[] = ['servers', 'username', 'password', 'tls']

/** Which fields each source has beside those of all, the ones that must be given first. */
const FIELDS: Readonly<Record<SourceName, { needs: readonly Field[]; takes: readonly Field[] }>> = {
  topic: { needs: ['topic'], takes: ['from'] },
  nats: { needs: ['servers', 'stream'], takes: [...LOGIN, 'token', 'subject', 'group', 'from'] },
  rabbitmq: { needs: ['servers', 'queue'], takes: [...LOGIN, 'exchange', 'routingKey'] },
  kafka: { needs: ['servers', 'topic'], takes: [...LOGIN, 'sasl', 'group', 'from'] },
  mqtt: { needs: ['servers', 'topic'], takes: [...LOGIN, 'group'] },
  redis: { needs: ['servers', 'stream'], takes: [...LOGIN, 'group', 'from', 'field'] },
}

/** Only with delivery `call`; with `async` the function's own settings decide. */
const OF_CALLS: readonly Field[] = [
  'retries',
  'retryDelayMs',
  'retryDelayMsMax',
  'errorTopic',
  'responseTopic',
]

/** What is wrong beyond the schema, field by field, or the configuration with its defaults. */
export function checkQueueConfig(
  given: Readonly<Record<string, unknown>>,
  filterErrors: (filter: unknown, pointer: string) => readonly InputError[],
): CheckedConfig {
  // It fits the schema: only what depends on other fields is left to check.
  const input = given as Partial<QueueConfig> & Pick<QueueConfig, 'source'>
  const delivery = input.delivery ?? (input.source === 'topic' ? 'async' : 'call')
  const errors = [
    ...fieldErrors(input, delivery),
    ...serverErrors(input),
    ...detailErrors(input, delivery),
    ...(input.filter ?? []).flatMap((each, at) => filterErrors(each, `filter/${at}`)),
  ]
  if (errors.length > 0)
    return { errors: errors.map(each => ({ ...each, pointer: each.pointer.replaceAll('/', '.') })) }
  const retryDelayMs = input.retryDelayMs ?? 1_000
  return {
    config: {
      ...given,
      delivery,
      concurrency: input.concurrency ?? 100,
      batch: { size: input.batch?.size ?? 1, windowMs: input.batch?.windowMs ?? 0 },
      ordering: input.ordering ?? 'none',
      retries: input.retries ?? 5,
      retryDelayMs,
      retryDelayMsMax: Math.max(retryDelayMs, input.retryDelayMsMax ?? 60_000),
      ...(input.source === 'kafka' &&
        input.username !== undefined && { sasl: input.sasl ?? 'scram-sha-512' }),
      ...(input.source === 'redis' && { field: input.field ?? 'data' }),
      ...(FIELDS[input.source].takes.includes('from') && { from: input.from ?? 'new' }),
    },
  }
}

function* fieldErrors(input: Partial<QueueConfig>, delivery: string): Iterable<InputError> {
  const source = input.source!
  const { needs, takes } = FIELDS[source]
  for (const field of needs)
    if (input[field] === undefined)
      yield { pointer: field, detail: `is missing: the source "${source}" needs it` }
  for (const field of Object.keys(input) as Field[]) {
    if (EVERYWHERE.includes(field) || needs.includes(field) || takes.includes(field)) continue
    const others = Object.entries(FIELDS).filter(([, one]) => [...one.needs, ...one.takes].includes(field))
    yield {
      pointer: field,
      detail: `does not go with the source "${source}", only with ${others.map(([name]) => name).join(', ')}`,
    }
  }
  if (delivery === 'async')
    for (const field of [...OF_CALLS, 'batch'] as const)
      if (input[field] !== undefined)
        yield {
          pointer: field,
          detail:
            'goes only with delivery "call"; with "async" the function’s own settings for asynchronous calls decide',
        }
}

function* serverErrors({ source, servers }: Partial<QueueConfig>): Iterable<InputError> {
  if (source === undefined || source === 'topic') return
  for (const [at, server] of (servers ?? []).entries()) {
    const read = readServer(source, server)
    if ('problem' in read) yield { pointer: `servers/${at}`, detail: read.problem }
  }
  if (servers && servers.length > 1 && (source === 'mqtt' || source === 'redis' || source === 'rabbitmq')) {
    const first = SCHEMES[source][0]
    const ways = new Set(servers.map(each => each.split(':')[0]))
    if (ways.size > 1)
      yield { pointer: 'servers', detail: `must all have the same scheme, ${first}: for one` }
  }
}

function* detailErrors(input: Partial<QueueConfig>, delivery: string): Iterable<InputError> {
  if (input.token !== undefined && (input.username !== undefined || input.password !== undefined))
    yield { pointer: 'token', detail: 'cannot stand beside username and password' }
  if (input.password !== undefined && input.username === undefined && input.source !== 'redis')
    yield { pointer: 'username', detail: 'is missing beside the password' }
  if (input.sasl !== undefined && input.username === undefined)
    yield { pointer: 'username', detail: 'is missing: sasl sends it' }
  if (input.tls && (input.tls.cert === undefined) !== (input.tls.key === undefined))
    yield { pointer: 'tls', detail: 'must have both cert and key, or neither' }
  if (input.routingKey !== undefined && input.exchange === undefined)
    yield { pointer: 'exchange', detail: 'is missing: the routing key belongs to it' }
  if (input.errorTopic !== undefined && readsFrom(input) === input.errorTopic)
    yield {
      pointer: 'errorTopic',
      detail: 'is what the trigger reads: messages that fail would go round for ever',
    }
  if (input.responseTopic !== undefined && readsFrom(input) === input.responseTopic)
    yield {
      pointer: 'responseTopic',
      detail: 'is what the trigger reads: each answer would be a new message',
    }
  if (delivery === 'call' && input.batch?.windowMs && input.batch.size === 1)
    yield { pointer: 'batch/size', detail: 'must be at least 2 for a window to mean anything' }
  if (
    input.retryDelayMsMax !== undefined &&
    input.retryDelayMsMax < (input.retryDelayMs ?? 1_000) &&
    input.retryDelayMs !== undefined
  )
    yield { pointer: 'retryDelayMsMax', detail: 'is less than retryDelayMs' }
}

function readsFrom(input: Partial<QueueConfig>): string | undefined {
  if (input.source === 'nats') return input.subject
  return input.topic ?? input.queue ?? input.stream
}
