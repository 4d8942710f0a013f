import { readFile } from 'node:fs/promises'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { OptionSpec } from '../spec.ts'

/** Options of routes. */
export const ROUTE_OPTIONS: readonly OptionSpec[] = [
  { flags: '--path <path>', help: '/a/b exactly, /a/{id} with parameters, /a/* for everything below' },
  { flags: '--host <host>', help: 'Only for this host name (default: any)' },
  { flags: '--method <method>', help: 'Only for this method; may be repeated (default: any)', repeats: true },
  { flags: '--strip-prefix', help: 'For a path with *: the function sees only what follows it' },
  { flags: '--public', help: 'Anybody may call it here, whatever the function says' },
  { flags: '--private', help: 'Only calls with a token get through here' },
  {
    flags: '--cors-origin <origin>',
    help: 'Web pages of this origin may call it ("*": of any); may be repeated',
    repeats: true,
  },
  { flags: '--cors-credentials', help: 'Such pages may send cookies and authorization' },
]

/** What a change may take away from a route. */
export const ROUTE_REMOVALS: readonly OptionSpec[] = [
  { flags: '--any-host', help: 'Requests for any host again' },
  { flags: '--any-method', help: 'Requests with any method again' },
  { flags: '--default-access', help: 'What the function says decides again who may call it' },
  { flags: '--without-cors', help: 'No rules for web pages of other origins any more' },
]

const REMOVALS = [
  { flag: 'anyHost', option: '--any-host', field: 'host' },
  { flag: 'anyMethod', option: '--any-method', field: 'methods' },
  { flag: 'defaultAccess', option: '--default-access', field: 'access' },
  { flag: 'withoutCors', option: '--without-cors', field: 'cors' },
] as const

/** Options of triggers that wait for events. */
export const EVENT_OPTIONS: readonly OptionSpec[] = [
  { flags: '--schedule <cron>', help: 'At these times: "0 3 * * *", @hourly, "@every 90s"' },
  { flags: '--at <time>', help: 'Once, then: 2030-01-31T12:00:00Z' },
  { flags: '--zone <zone>', help: 'Time zone of the schedule, such as Europe/Berlin (default: UTC)' },
  { flags: '--data <json>', help: 'What the function gets from a schedule' },
  {
    flags: '--format <format>',
    help: 'How the function gets events (default: native)',
    choices: ['native', 'cloudevent', 'cloudevent-structured'],
  },
  {
    flags: '-c, --config <key=value>',
    help: 'A field of the configuration, such as auth.user=ann; numbers, true, false, null and JSON are read as such; may be repeated',
    repeats: true,
  },
  { flags: '--config-file <file>', help: 'The configuration as JSON or YAML' },
]

const SCHEDULE_FLAGS = ['schedule', 'at', 'zone', 'data'] as const

/** Whether the options are those of a trigger that waits for events. A route may say that it is one. */
export function isEventInput(options: Options): boolean {
  if (options.text('kind') === 'http') return false
  const flags = ['kind', 'format', 'configFile', ...SCHEDULE_FLAGS]
  return options.list('config').length > 0 || flags.some(flag => options.text(flag) !== undefined)
}

/** The body's fields of a trigger that waits for events. `isChange`: what says "when" replaces what said it before. */
export async function eventInput(options: Options, isChange: boolean): Promise<Record<string, unknown>> {
  for (const flag of ['path', 'host'])
    if (options.text(flag) !== undefined)
      throw usage(`--${flag} is for routes alone`, 'A route is of kind http, and has no configuration.')
  const file = options.text('configFile')
  const config: Record<string, unknown> = file === undefined ? {} : await readConfig(file)
  const schedule = options.text('schedule')
  const at = options.text('at')
  if (schedule !== undefined && at !== undefined) throw usage('--schedule and --at cannot both be meant')
  if (isChange && (schedule !== undefined || at !== undefined))
    Object.assign(config, { cron: null, every: null, at: null })
  const data = options.text('data')
  Object.assign(
    config,
    defined({
      cron: schedule,
      at,
      zone: options.text('zone'),
      data: data === undefined ? undefined : parseData(data),
    }),
  )
  for (const pair of options.list('config')) {
    const split = pair.indexOf('=')
    if (split < 1) throw usage(`--config ${JSON.stringify(pair)} is not KEY=VALUE`)
    setField(config, pair.slice(0, split).split('.'), valueOf(pair.slice(split + 1)))
  }
  return defined({
    format: options.text('format'),
    config: Object.keys(config).length > 0 ? config : undefined,
  })
}

/** The kind that the options mean. */
export function kindOf(options: Options): string {
  const kind = options.text('kind')
  if (kind !== undefined) return kind
  if (SCHEDULE_FLAGS.some(flag => options.text(flag) !== undefined)) return 'schedule'
  throw usage(
    'it is not said what kind of trigger this is',
    'Give --kind; "atelier trigger kinds" lists them.',
  )
}

/** The body's fields of a route. */
export function routeInput(options: Options): Record<string, unknown> {
  const path = options.text('path')
  if (path !== undefined && !path.startsWith('/'))
    throw usage(`--path ${JSON.stringify(path)} does not begin with "/"`)
  if (options.flag('public') && options.flag('private'))
    throw usage('--public and --private cannot both be meant')
  const methods = options.list('method').map(method => method.toUpperCase())
  const origins = options.list('corsOrigin')
  return defined({
    path,
    host: options.text('host'),
    methods: methods.length > 0 ? methods : undefined,
    stripPrefix: options.flag('stripPrefix') ? true : undefined,
    access: options.flag('public') ? 'public' : options.flag('private') ? 'private' : undefined,
    cors:
      origins.length > 0
        ? { origins, ...(options.flag('corsCredentials') && { credentials: true }) }
        : undefined,
  })
}

/** The fields that a change takes away from a route, each `null`. `input`: what it sets, which cannot be the same. */
export function routeRemovals(
  options: Options,
  input: Readonly<Record<string, unknown>>,
): Record<string, null> {
  const removed: Record<string, null> = {}
  for (const { flag, option, field } of REMOVALS) {
    if (!options.flag(flag)) continue
    if (Object.hasOwn(input, field)) throw usage(`${option} takes away what another option sets`)
    removed[field] = null
  }
  return removed
}

/** JSON of an option; a usage failure when it is none. */
export function parseData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw usage(
      `--data ${JSON.stringify(text)} is not JSON`,
      'A text needs double quotes of its own: \'"hello"\'.',
    )
  }
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usage(
      `${file} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'}`,
    )
  })
  const { parse } = await import('yaml')
  let value: unknown
  try {
    value = parse(text)
  } catch {
    throw usage(`${file} is neither JSON nor YAML`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usage(`${file} does not hold a set of fields`)
  return { ...value }
}

function valueOf(text: string): unknown {
  if (!/^(true|false|null|-?\d+(\.\d+)?|[[{"].*)$/s.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function setField(fields: Record<string, unknown>, [step, ...rest]: readonly string[], value: unknown): void {
  if (step === undefined) return
  if (rest.length === 0) {
    fields[step] = value
    return
  }
  const inner = Object.hasOwn(fields, step) ? fields[step] : undefined
  const copy: Record<string, unknown> =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {}
  fields[step] = copy
  setField(copy, rest, value)
}
