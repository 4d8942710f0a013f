import type { WireAlias, WireFunction, WireVersion } from '../client/wire.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import { renderFields } from '../output/table.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandCall, CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo, showDuration } from '../units.ts'
import { APP_OPTION, confirm, FUNCTION_ARG, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List functions',
  options: [{ flags: '--app <app>', help: 'Only those of one app' }, LIMIT_OPTION],
  examples: [
    ['atelier function list', 'all of the project'],
    ['atelier function list --app shop -o json', 'those of one app, for a program'],
  ],
  async run({ context, options }) {
    const client = await context.client()
    const items = await client.all<WireFunction>(
      '/v1/functions',
      { app: options.text('app') },
      limitOf(options),
    )
    await context.list(
      items,
      [
        { title: 'APP', cell: one => one.appName },
        { title: 'NAME', cell: one => one.name },
        { title: 'ACCESS', cell: one => one.access },
        { title: 'VERSION', cell: one => one.latestVersion, right: true },
        { title: 'UPDATED', cell: one => showAgo(one.updatedAt, Date.now()) },
        { title: 'URL', cell: one => one.url },
        { title: 'DESCRIPTION', cell: one => one.description },
      ],
      'There are no functions yet. "atelier init nodejs-hello hello", then "atelier deploy hello" makes one.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one function, its aliases and what is live',
  args: [FUNCTION_ARG],
  options: [APP_OPTION],
  examples: [['atelier function show shop/thumbnail', 'everything about it']],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const client = await context.client()
    const one = await client.get<WireFunction>(path)
    if (context.format !== 'table') return await context.result(one, () => [])
    const aliases = (await client.get<{ items: readonly WireAlias[] }>(`${path}/aliases`)).items
    const live = aliases.find(alias => alias.name === 'live')?.targets[0]?.version
    const version = live === undefined ? undefined : await client.get<WireVersion>(`${path}/versions/${live}`)
    for (const line of renderFields(fieldsOf(one, aliases, version))) context.print(line)
  },
}

function fieldsOf(
  one: WireFunction,
  aliases: readonly WireAlias[],
  version: WireVersion | undefined,
): (readonly [string, string | number | undefined])[] {
  const spec = version?.spec
  return [
    ['name', `${one.appName}/${one.name}`],
    ['description', one.description],
    ['url', one.url],
    ['access', one.access],
    ['live version', version?.number],
    ['latest version', one.latestVersion],
    ['aliases', aliases.map(alias => `${alias.name} -> ${showTargets(alias)}`).join('\n')],
    ['environment', spec?.environment],
    ['contract', spec?.contract?.name],
    ['entry', spec?.entry],
    [
      'limits',
      spec &&
        `${spec.limits.memoryMiB} MiB, ${spec.limits.cpuMillicores}m CPU, ${showDuration(spec.limits.timeoutMs)} per call, ${spec.limits.concurrency} at once`,
    ],
    [
      'scaling',
      spec &&
        `${spec.scaling.instancesMin} to ${spec.scaling.instancesMax} instances, idle at most ${showDuration(spec.scaling.idleMs)}`,
    ],
    ['network', spec?.network],
    ['isolation', spec && (spec.isolation ?? 'process')],
    [
      'config',
      spec &&
        Object.entries(spec.config)
          .map(([key, value]) => `${key}=${value}`)
          .join('\n'),
    ],
    ['secrets', spec?.secrets.join(', ')],
    ['created', one.createdAt],
    ['updated', one.updatedAt],
  ]
}

/** `3`, or `3 (90 %), 4 (10 %)`. */
export function showTargets(alias: WireAlias): string {
  const [first, ...more] = alias.targets
  return more.length === 0
    ? String(first?.version ?? 'nothing')
    : alias.targets.map(target => `${target.version} (${target.weight} %)`).join(', ')
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change what a function says of itself, or who may call it',
  details: 'What decides how the code runs belongs to a version: change it with "atelier deploy".',
  args: [FUNCTION_ARG],
  options: [
    APP_OPTION,
    { flags: '-m, --description <text>', help: 'What it is for' },
    { flags: '--public', help: 'Anybody may call it' },
    { flags: '--private', help: 'Only calls with a token of the project get through' },
  ],
  examples: [
    ['atelier function update thumbnail --public', 'let anybody call it'],
    ['atelier function update thumbnail -m "Makes small pictures"', 'describe it'],
  ],
  async run({ context, args, options }: CommandCall) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    if (options.flag('public') && options.flag('private'))
      throw usage('--public and --private cannot both be meant')
    const change = defined<WireFunction>({
      description: options.text('description'),
      access: options.flag('public') ? 'public' : options.flag('private') ? 'private' : undefined,
    })
    if (Object.keys(change).length === 0)
      throw usage('nothing to change', 'Give --public, --private or --description.')
    const client = await context.client()
    const one = await client.request<WireFunction>('PATCH', path, { json: change })
    await context.result(one, () => [`${one.appName}/${one.name} is updated.`])
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a function with all its versions, aliases and triggers',
  args: [FUNCTION_ARG],
  options: [APP_OPTION, YES_OPTION],
  examples: [['atelier function delete shop/thumbnail --yes', 'without a question']],
  async run({ context, args, options }) {
    const { app, name, path } = parsePlainReference(args[0]!, options.text('app'))
    const client = await context.client()
    await confirm(context, options, `Delete ${app}/${name} with all its versions?`)
    await client.request('DELETE', path)
    context.note(`${app}/${name} is deleted.`)
  },
}

export const functionGroup: GroupSpec = {
  name: 'function',
  aliases: ['functions', 'fn'],
  summary: 'List, look at, change and delete functions',
  commands: [list, show, update, remove],
}
