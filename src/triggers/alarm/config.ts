import type { InputError } from '../../core/index.ts'
import { GATE_LIMITS_DEFAULT, GATE_LIMITS_SCHEMA, type GateLimits } from '../hook-gate.ts'
import type { CheckedConfig } from '../kind.ts'
import { RECORD_DEFAULT, RECORD_SCHEMA, type RecordLimits } from '../request-log.ts'

export type AlarmSource = 'aodh' | 'alertmanager'

/** A configuration that was checked and completed. */
export interface AlarmConfig {
  readonly source: AlarmSource
  /** Of Aodh: `ok`, `alarm`, `insufficient data`. Of Alertmanager: `firing`, `resolved`. */
  readonly states: readonly string[]
  /** Lower case. */
  readonly severities?: readonly string[]
  /** Patterns with `*` of which the alarm's name must fit one. */
  readonly names?: readonly string[]
  /** Patterns for labels of alerts; every label that is named must fit one of its own. */
  readonly labels?: Readonly<Record<string, readonly string[]>>
  readonly repeats: 'drop' | 'keep'
  readonly group: 'each' | 'all'
  readonly passToken: boolean
  /** What the sender must show as `Authorization`: bearer tokens, or `user:password`. */
  readonly secrets?: readonly string[]
  readonly limits: GateLimits
  readonly record: RecordLimits
}

const STATES: Readonly<Record<AlarmSource, readonly string[]>> = {
  aodh: ['ok', 'alarm', 'insufficient data'],
  alertmanager: ['firing', 'resolved'],
}

const patterns = (description: string) =>
  ({
    type: 'array',
    minItems: 1,
    maxItems: 50,
    items: { type: 'string', minLength: 1, maxLength: 200 },
    description,
  }) as const

export const ALARM_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['source'],
  properties: {
    source: { enum: ['aodh', 'alertmanager'], description: 'Who sends.' },
    states: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: [...STATES.aodh, ...STATES.alertmanager] },
      description:
        'The states whose beginning is an event. Aodh: `ok`, `alarm`, `insufficient data`; Alertmanager: `firing`, `resolved`. Default all of the source.',
    },
    severities: patterns(
      'Severities, such as `critical`; of Alertmanager the label `severity`. Default all.',
    ),
    names: patterns('Patterns with `*` for the name of the alarm (the label `alertname`). Default all.'),
    labels: {
      type: 'object',
      maxProperties: 20,
      propertyNames: { maxLength: 200 },
      additionalProperties: patterns('One of them must fit.'),
      description: 'Patterns with `*` for labels of alerts; for Alertmanager only.',
    },
    repeats: {
      enum: ['drop', 'keep'],
      description:
        "`drop`: what tells again what was told is no event: a state that goes on, Alertmanager's `repeat_interval`. Default drop.",
    },
    group: {
      enum: ['each', 'all'],
      description:
        'Of Alertmanager, which tells of several alerts at once: a call for each of them, or one for all. Default each.',
    },
    passToken: {
      type: 'boolean',
      description:
        'Whether the function gets the `X-Auth-Token` that Aodh sends to `trust+http` actions: who has it acts as the owner of the alarm. Default false.',
    },
    secrets: {
      type: 'array',
      minItems: 1,
      maxItems: 5,
      items: { type: 'string', minLength: 8, maxLength: 1_000 },
      description:
        'What the sender must show beside the URL: a bearer token, or `user:password`; any of them will do. Never shown.',
    },
    limits: GATE_LIMITS_SCHEMA,
    record: RECORD_SCHEMA,
  },
  examples: [
    { source: 'aodh', states: ['alarm'], severities: ['critical'] },
    { source: 'alertmanager', states: ['firing'], names: ['Disk*'], labels: { team: ['storage'] } },
  ],
} as const

/** Completes what fits the schema, or says what is wrong with it beyond that. Pure. */
export function checkAlarm(given: Readonly<Record<string, unknown>>): CheckedConfig {
  const input = given as Partial<Omit<AlarmConfig, 'limits' | 'record'>> & {
    limits?: Partial<GateLimits>
    record?: Partial<RecordLimits>
  }
  const source = input.source ?? 'aodh'
  const known = STATES[source]
  const errors: InputError[] = []
  for (const state of input.states ?? [])
    if (!known.includes(state))
      errors.push({ pointer: 'states', detail: `of ${source} must be of ${known.join(', ')}` })
  if (source === 'aodh') {
    if (input.labels) errors.push({ pointer: 'labels', detail: 'are what Alertmanager has, not Aodh' })
    if (input.group === 'all')
      errors.push({ pointer: 'group', detail: 'is for Alertmanager: Aodh tells of one alarm at a time' })
  } else if (input.passToken)
    errors.push({ pointer: 'passToken', detail: 'is for Aodh: Alertmanager sends none' })
  if (errors.length > 0) return { errors }
  const config: AlarmConfig = {
    source,
    states: input.states ?? known,
    ...(input.severities && { severities: input.severities.map(each => each.toLowerCase()) }),
    ...(input.names && { names: input.names }),
    ...(input.labels && { labels: input.labels }),
    repeats: input.repeats ?? 'drop',
    group: input.group ?? 'each',
    passToken: input.passToken ?? false,
    ...(input.secrets && { secrets: input.secrets }),
    limits: { ...GATE_LIMITS_DEFAULT, ...input.limits },
    record: { ...RECORD_DEFAULT, ...input.record },
  }
  return { config: { ...config } }
}

/** What the host gives back of a trigger is what `checkAlarm` made. */
export function alarmConfig(config: Readonly<Record<string, unknown>>): AlarmConfig {
  return config as unknown as AlarmConfig
}
