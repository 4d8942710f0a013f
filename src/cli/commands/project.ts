import { checkName, QUOTA_NAMES, type Role } from '../../core/index.ts'
import type { WireProject } from '../client/wire.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { renderFields } from '../output/table.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { confirm, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'
import { QUOTA_OPTIONS, quotaChangesFrom, quotaTitle, showQuota } from './quota-flags.ts'

const PROJECT_ARG: ArgSpec = {
  syntax: '<project>',
  help: 'Name of the project',
  completes: 'project',
}
const USER_ARG: ArgSpec = { syntax: '<user>', help: 'Name of the user' }
const ROLES: readonly Role[] = ['admin', 'member', 'reader', 'service']
const PROJECT_OPTIONS: readonly OptionSpec[] = [
  { flags: '-m, --description <text>', help: 'What it is for' },
  {
    flags: '--isolation-min <tier>',
    help: 'Weakest isolation of its functions',
    choices: ['process', 'gvisor'],
  },
]

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List projects',
  options: [LIMIT_OPTION],
  examples: [['atelier project list', 'all that you may see']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WireProject>('/v1/projects', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'STATE', cell: one => (one.enabled ? 'enabled' : 'disabled') },
        { title: 'QUOTA', cell: one => quotasOf(one).join(', ') || 'default' },
        { title: 'CREATED', cell: one => showAgo(one.createdAt, Date.now()) },
        { title: 'DESCRIPTION', cell: one => one.description },
      ],
      'There are no projects.',
    )
  },
}

/** Those that an operator has set. */
function quotasOf({ quota }: WireProject): readonly string[] {
  return QUOTA_NAMES.flatMap(name => {
    const value = quota[name]
    return value === undefined ? [] : [`${quotaTitle(name)} ${showQuota(name, value)}`]
  })
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one project and who works in it',
  args: [PROJECT_ARG],
  examples: [['atelier project show shop', 'everything about it']],
  async run({ context, args }) {
    const client = await context.client()
    const one = await client.get<WireProject>(pathOf(args[0]!))
    if (context.format !== 'table') return await context.result(one, () => [])
    const grants = await client.all<{ user: string; role: Role }>(`${pathOf(args[0]!)}/grants`)
    const fields = renderFields([
      ['name', one.name],
      ['description', one.description],
      ['state', one.enabled ? 'enabled' : 'disabled'],
      ['quota', quotasOf(one).join('\n') || 'default'],
      ['isolation', one.isolationMin && `at least ${one.isolationMin}`],
      ['users', grants.map(grant => `${grant.user} (${grant.role})`).join('\n')],
      ['created', one.createdAt],
    ])
    for (const line of fields) context.print(line)
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Create a project',
  args: [PROJECT_ARG],
  options: [...PROJECT_OPTIONS, ...QUOTA_OPTIONS],
  examples: [
    ["atelier project create garden -m 'Everything about plants'", 'with the usual quotas'],
    ['atelier project create shop --functions 50 --concurrency 200', 'with others'],
  ],
  async run({ context, args, options }) {
    checkName(args[0]!, 'project')
    const one = await (await context.client()).request<WireProject>('POST', '/v1/projects', {
      json: { name: args[0]!, ...changeFrom(options), ...quotaFrom(options) },
    })
    await context.result(one, () => [
      `Project ${one.name} is created. Let somebody in: atelier project grant ${one.name} USER member`,
    ])
  },
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change a project',
  details: 'What it may have is changed by "atelier quota set".',
  args: [PROJECT_ARG],
  options: [
    ...PROJECT_OPTIONS,
    { flags: '--enable', help: 'Let it work again' },
    { flags: '--disable', help: 'Refuse its logins and calls; nothing is deleted' },
  ],
  examples: [['atelier project update shop --disable', 'stop it for now']],
  async run({ context, args, options }) {
    const enabled = options.flag('enable') ? true : options.flag('disable') ? false : undefined
    const json = { ...changeFrom(options), ...(enabled !== undefined && { enabled }) }
    if (Object.keys(json).length === 0)
      throw usage('nothing to change', '"atelier project update --help" lists what can be.')
    const one = await (await context.client()).request<WireProject>('PATCH', pathOf(args[0]!), { json })
    await context.result(one, () => [`Project ${one.name} is updated.`])
  },
}

function changeFrom(options: Options): Record<string, unknown> {
  return defined({ description: options.text('description'), isolationMin: options.text('isolationMin') })
}

function quotaFrom(options: Options): Record<string, unknown> {
  const quota = defined(Object.fromEntries(quotaChangesFrom(options)))
  return Object.keys(quota).length > 0 ? { quota } : {}
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a project that has no apps',
  args: [PROJECT_ARG],
  options: [YES_OPTION],
  examples: [['atelier project delete shop', 'the project shop']],
  async run({ context, args, options }) {
    const path = pathOf(args[0]!)
    const client = await context.client()
    await confirm(context, options, `Delete project ${args[0]}?`)
    await client.request('DELETE', path)
    context.note(`Project ${args[0]} is deleted.`)
  },
}

const grant: CommandSpec = {
  name: 'grant',
  summary: 'Let a user work in a project',
  details: 'reader looks, member also deploys and calls, admin operates the whole platform.',
  args: [PROJECT_ARG, USER_ARG, { syntax: '<role>', help: 'admin, member, reader or service' }],
  examples: [['atelier project grant shop ada member', 'Ada deploys to it']],
  async run({ context, args }) {
    const [project, user, role] = grantArgs(args)
    await (await context.client()).request('PUT', `${pathOf(project)}/grants`, { json: { user, role } })
    context.note(`${user} is ${role} of ${project}.`)
  },
}

const revoke: CommandSpec = {
  name: 'revoke',
  summary: 'Take a role in a project away from a user',
  args: [PROJECT_ARG, USER_ARG, { syntax: '<role>', help: 'admin, member, reader or service' }],
  examples: [['atelier project revoke shop ada member', 'Ada deploys to it no more']],
  async run({ context, args }) {
    const [project, user, role] = grantArgs(args)
    await (await context.client()).request('DELETE', `${pathOf(project)}/grants`, { query: { user, role } })
    context.note(`${user} is no longer ${role} of ${project}.`)
  },
}

function grantArgs(args: readonly (string | undefined)[]): [project: string, user: string, role: Role] {
  const role = ROLES.find(one => one === args[2])
  if (!role) throw usage(`${JSON.stringify(args[2])} is not a role`, `There are ${ROLES.join(', ')}.`)
  return [args[0]!, args[1]!, role]
}

function pathOf(name: string): string {
  checkName(name, 'project')
  return `/v1/projects/${name}`
}

export const project: GroupSpec = {
  name: 'project',
  aliases: ['projects'],
  summary: 'Manage projects and who works in them',
  commands: [list, show, create, update, remove, grant, revoke],
}
