import { checkName, QUOTA_NAMES, type Quota } from '../../core/index.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { parseSize, showSize } from '../units.ts'

type Name = keyof Quota

/** As `GET /v1/projects/{p}/quota` answers. */
interface WireQuota {
  readonly project: string
  readonly quotas: Readonly<Record<Name, QuotaState>>
  readonly revision: number
}

interface QuotaState {
  readonly limit?: number
  readonly used?: number
  readonly isDefault: boolean
}

const PROJECT_ARG: ArgSpec = {
  syntax: '[project]',
  help: 'Name of the project (default: the one of your login)',
  completes: 'project',
}

const FLAGS: Readonly<
  Record<Name, { readonly flag: string; readonly value: string; readonly help: string }>
> = {
  functions: { flag: 'functions', value: 'count', help: 'Functions' },
  versions: { flag: 'versions', value: 'count', help: 'Versions of all functions' },
  triggers: { flag: 'triggers', value: 'count', help: 'Triggers of all kinds' },
  storageBytes: { flag: 'storage', value: 'size', help: 'Packages and what is built from them: 5Gi' },
  memoryMiB: { flag: 'memory', value: 'size', help: 'Memory that is reserved for always-on instances: 4Gi' },
  concurrency: { flag: 'concurrency', value: 'calls', help: 'Calls at once' },
  callsPerMinute: { flag: 'calls-per-minute', value: 'calls', help: 'Calls that begin within a minute' },
  queuedCalls: { flag: 'queued-calls', value: 'calls', help: 'Asynchronous calls that wait' },
  queuedBytes: { flag: 'queued-bytes', value: 'size', help: 'Bodies of asynchronous calls: 512Mi' },
}

const SET_OPTIONS: readonly OptionSpec[] = QUOTA_NAMES.map(name => {
  const { flag, value, help } = FLAGS[name]
  return { flags: `--${flag} <${value}>`, help: `${help}; or "default"` }
})

const show: CommandSpec = {
  name: 'show',
  summary: 'Show what a project may have, and how much of it it has',
  args: [PROJECT_ARG],
  examples: [
    ['atelier quota show', 'of your project'],
    ['atelier quota show shop -o json', 'for a monitor'],
  ],
  async run({ context, args }) {
    const client = await context.client()
    const name = args[0] ?? (await client.get<{ readonly project: string }>('/v1/whoami')).project
    const one = await client.get<WireQuota>(pathOf(name))
    const rows = QUOTA_NAMES.map(name => ({ name, ...one.quotas[name] }))
    if (context.format !== 'table') return await context.result(one, () => [])
    await context.list(
      rows,
      [
        { title: 'WHAT', cell: row => FLAGS[row.name].flag },
        { title: 'USED', cell: row => shown(row.name, row.used, '-') },
        { title: 'LIMIT', cell: row => shown(row.name, row.limit, 'none') },
        { title: 'SET', cell: row => (row.isDefault ? 'by default' : 'by an operator') },
      ],
      '',
    )
  },
}

const set: CommandSpec = {
  name: 'set',
  summary: 'Set what a project may have',
  details:
    'What is not named stays. A limit below what is used takes nothing away; it refuses what comes next. For operators.',
  args: [{ syntax: '<project>', help: 'Name of the project', completes: 'project' }],
  options: SET_OPTIONS,
  examples: [
    ['atelier quota set shop --functions 50 --storage 5Gi', 'fewer functions, less disk'],
    ['atelier quota set shop --calls-per-minute 6000', 'a hundred calls a second, in the middle'],
    ['atelier quota set shop --calls-per-minute default', 'as where nothing is set'],
  ],
  async run({ context, args, options }) {
    const path = pathOf(args[0]!)
    const changes = changesFrom(options)
    if (changes.size === 0) throw usage('nothing to change', '"atelier quota set --help" lists what can be.')
    const client = await context.client()
    const before = await client.get<WireQuota>(path)
    const json: Record<string, number> = {}
    for (const name of QUOTA_NAMES) {
      const { limit, isDefault } = before.quotas[name]
      const next = changes.has(name) ? changes.get(name) : isDefault ? undefined : limit
      if (next !== undefined) json[name] = next
    }
    const headers = { 'if-match': `"${before.revision}"` }
    const one = await client.request<WireQuota>('PUT', path, { json, headers })
    await context.result(one, () => [`The quotas of project ${one.project} are set.`])
  },
}

/** By name; `undefined` is the default. */
function changesFrom(options: Options): ReadonlyMap<Name, number | undefined> {
  const changes = new Map<Name, number | undefined>()
  for (const name of QUOTA_NAMES) {
    const { flag, value } = FLAGS[name]
    const text = options.text(flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()))
    if (text === undefined) continue
    const parsed = text === 'default' ? undefined : parsedAs(name, text, value === 'size')
    if (Number.isNaN(parsed))
      throw usage(
        `--${flag} ${JSON.stringify(text)} is neither ${value === 'size' ? 'a size such as 5Gi' : 'a whole number'} nor "default"`,
      )
    changes.set(name, parsed)
  }
  return changes
}

function parsedAs(name: Name, text: string, isSize: boolean): number {
  if (!isSize) return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  const bytes = parseSize(text) ?? Number.NaN
  return name === 'memoryMiB' ? Math.floor(bytes / 1024 ** 2) : bytes
}

function shown(name: Name, value: number | undefined, none: string): string {
  if (value === undefined) return none
  if (FLAGS[name].value !== 'size') return String(value)
  return showSize(name === 'memoryMiB' ? value * 1024 ** 2 : value)
}

function pathOf(name: string): string {
  checkName(name, 'project')
  return `/v1/projects/${name}/quota`
}

export const quota: GroupSpec = {
  name: 'quota',
  aliases: ['quotas'],
  summary: 'What projects may have, and how much of it they have',
  commands: [show, set],
}
