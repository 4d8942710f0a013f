import { checkName, QUOTA_NAMES } from '../../core/index.ts'
import { usage } from '../failure.ts'
import type { ArgSpec, CommandSpec, GroupSpec } from '../spec.ts'
import { QUOTA_OPTIONS, type QuotaName, quotaChangesFrom, quotaTitle, showQuota } from './quota-flags.ts'

/** As `GET /v1/projects/{p}/quota` answers. */
interface WireQuota {
  readonly project: string
  readonly quotas: Readonly<Record<QuotaName, QuotaState>>
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
        { title: 'WHAT', cell: row => quotaTitle(row.name) },
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
  options: QUOTA_OPTIONS,
  examples: [
    ['atelier quota set shop --functions 50 --storage 5Gi', 'fewer functions, less disk'],
    ['atelier quota set shop --calls-per-minute 6000', 'a hundred calls a second, in the middle'],
    ['atelier quota set shop --calls-per-minute default', 'as where nothing is set'],
  ],
  async run({ context, args, options }) {
    const path = pathOf(args[0]!)
    const changes = quotaChangesFrom(options)
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

function shown(name: QuotaName, value: number | undefined, none: string): string {
  return value === undefined ? none : showQuota(name, value)
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
