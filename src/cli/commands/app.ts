import { checkName } from '../../core/index.ts'
import type { WireApp } from '../client/wire.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import { renderFields } from '../output/table.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { confirm, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'

const APP_ARG: ArgSpec = { syntax: '<app>', help: 'Name of the app', completes: 'app' }
const OPTIONS: readonly OptionSpec[] = [
  { flags: '-m, --description <text>', help: 'What it is for' },
  {
    flags: '--config <KEY=VALUE>',
    help: 'An environment variable for all its functions; may be repeated',
    repeats: true,
  },
]

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List apps',
  options: [LIMIT_OPTION],
  examples: [['atelier app list', 'all of the project']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WireApp>('/v1/apps', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'CONFIG', cell: one => Object.keys(one.config).join(', ') },
        { title: 'UPDATED', cell: one => showAgo(one.updatedAt, Date.now()) },
        { title: 'DESCRIPTION', cell: one => one.description },
      ],
      'There are no apps yet; the first deploy makes one.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one app and its configuration',
  args: [APP_ARG],
  examples: [['atelier app show shop', 'everything about it']],
  async run({ context, args }) {
    const one = await (await context.client()).get<WireApp>(pathOf(args[0]!))
    await context.result(one, () =>
      renderFields([
        ['name', one.name],
        ['description', one.description],
        [
          'config',
          Object.entries(one.config)
            .map(([key, value]) => `${key}=${value}`)
            .join('\n'),
        ],
        ['created', one.createdAt],
        ['updated', one.updatedAt],
      ]),
    )
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Create an app',
  details: 'A deploy creates its app by itself; this is for one that shall have configuration first.',
  args: [APP_ARG],
  options: OPTIONS,
  examples: [['atelier app create shop --config REGION=eu', 'with configuration']],
  async run({ context, args, options }) {
    checkName(args[0]!, 'app')
    const client = await context.client()
    const json = {
      name: args[0]!,
      ...defined({ description: options.text('description'), config: options.pairs('config', '--config') }),
    }
    const one = await client.request<WireApp>('POST', '/v1/apps', { json })
    await context.result(one, () => [`App ${one.name} is created.`])
  },
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change an app',
  details:
    'Configuration is frozen into a version when that is published: functions see a change after their next deploy.',
  args: [APP_ARG],
  options: [
    ...OPTIONS,
    { flags: '--unset <KEY>', help: 'Remove a variable; may be repeated', repeats: true },
  ],
  examples: [
    ['atelier app update shop --config REGION=us', 'set a variable, keep the others'],
    ['atelier app update shop --unset REGION', 'remove one'],
  ],
  async run({ context, args, options }) {
    const path = pathOf(args[0]!)
    const set = options.pairs('config', '--config')
    const unset = options.list('unset')
    const client = await context.client()
    let config: Record<string, string> | undefined
    if (set || unset.length > 0) {
      config = { ...(await client.get<WireApp>(path)).config, ...set }
      for (const key of unset) delete config[key]
    }
    const change = defined({ description: options.text('description'), config })
    if (Object.keys(change).length === 0)
      throw usage('nothing to change', 'Give --description, --config or --unset.')
    const one = await client.request<WireApp>('PATCH', path, { json: change })
    await context.result(one, () => [`App ${one.name} is updated.`])
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete an app',
  args: [APP_ARG],
  options: [{ flags: '--force', help: 'Even when it has functions: they go with it' }, YES_OPTION],
  examples: [
    ['atelier app delete shop', 'refused while it has functions'],
    ['atelier app delete shop --force --yes', 'with all its functions'],
  ],
  async run({ context, args, options }) {
    const path = pathOf(args[0]!)
    const client = await context.client()
    const force = options.flag('force')
    await confirm(
      context,
      options,
      force ? `Delete app ${args[0]} with all its functions?` : `Delete app ${args[0]}?`,
    )
    await client.request('DELETE', path, { query: { force: force || undefined } })
    context.note(`App ${args[0]} is deleted.`)
  },
}

function pathOf(name: string): string {
  checkName(name, 'app')
  return `/v1/apps/${name}`
}

export const app: GroupSpec = {
  name: 'app',
  aliases: ['apps'],
  summary: 'Group functions that share configuration',
  commands: [list, show, create, update, remove],
}
