import type { WireEventTrigger, WireHttpTrigger, WireTrigger } from '../client/wire.ts'
import { renderFields } from '../output/table.ts'

/** Everything about a trigger, for people. */
export function describeTrigger(one: WireTrigger): readonly string[] {
  return one.kind === 'http' ? describeRoute(one) : describeSource(one)
}

/** Fields of configurations that tell one trigger of a kind from another. */
const TELLING = ['signature', 'source', 'topic', 'stream', 'subject', 'queue', 'container']

/** What makes its calls, in a few words: a route's path, a schedule, a broker and its topic. */
export function summaryOf(one: WireTrigger): string {
  if (one.kind === 'http') return `${one.methods.join(',') || '*'} ${one.host ?? ''}${one.path}`
  const { schedule, zone } = one.status.details ?? {}
  if (typeof schedule !== 'string')
    return TELLING.flatMap(name => (name in one.config ? [textOf(one.config[name])] : [])).join(' ')
  return typeof zone !== 'string' || zone === 'UTC' ? schedule : `${schedule} ${zone}`
}

export function stateOf(one: WireTrigger): string {
  return one.kind === 'http' ? '' : one.status.state
}

function describeRoute(one: WireHttpTrigger): readonly string[] {
  return renderFields([
    ['name', one.name],
    ['url', one.url],
    ['host', one.host ?? 'any'],
    ['methods', one.methods.join(', ') || 'any'],
    ['path', one.path],
    ['strip prefix', one.stripPrefix ? 'yes' : 'no'],
    ['function', `${one.app}/${one.function}:${one.alias}`],
    ['access', one.access ?? "the function's own"],
    [
      'cors',
      one.cors && `origins ${one.cors.origins.join(', ')}${one.cors.credentials ? ', with credentials' : ''}`,
    ],
  ])
}

function describeSource(one: WireEventTrigger): readonly string[] {
  const { status } = one
  const counted = [
    `${status.accepted} accepted`,
    `${status.filtered} left out`,
    `${status.duplicates} duplicates`,
    `${status.failed} failed`,
  ]
  return renderFields([
    ['name', one.name],
    ['kind', one.kind],
    ['state', status.state],
    ['function', `${one.app}/${one.function}:${one.alias}`],
    ['format', one.format],
    ['url', one.url],
    ...Object.entries(one.config).map(([name, value]) => [name, textOf(value)] as const),
    ...one.secretsSet.map(name => [name, '(set)'] as const),
    ['events', counted.join(', ')],
    ['last event', status.lastEventAt && `${status.lastEventAt}, call ${status.lastCallId ?? '?'}`],
    ['last error', status.lastError && `${status.lastErrorAt}: ${status.lastError}`],
    ['next', status.nextAt?.join('\n')],
    ...Object.entries(status.details ?? {})
      .map(([name, value]) => [name, textOf(value)] as const)
      // What the configuration has said already is said once.
      .filter(([name, text]) => !(name in one.config) || textOf(one.config[name]) !== text),
  ])
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
