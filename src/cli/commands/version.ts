import type { WireAlias, WireVersion } from '../client/wire.ts'
import { renderFields } from '../output/table.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo, showDuration } from '../units.ts'
import { APP_OPTION, confirm, FUNCTION_ARG, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'
import { parseVersion } from './rollback.ts'

const NUMBER_ARG = { syntax: '<version>', help: 'Number of the version' }

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List the versions of a function, newest first',
  args: [FUNCTION_ARG],
  options: [APP_OPTION, LIMIT_OPTION],
  examples: [['atelier version list shop/thumbnail', 'what there is, and what is live']],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const client = await context.client()
    const items = await client.all<WireVersion>(`${path}/versions`, {}, limitOf(options))
    if (context.format !== 'table') return await context.list(items, [], '')
    const aliases = (await client.get<{ items: readonly WireAlias[] }>(`${path}/aliases`)).items
    await context.list(
      items,
      [
        { title: 'VERSION', cell: one => one.number, right: true },
        { title: 'ALIASES', cell: one => aliasesOf(aliases, one.number) },
        { title: 'CREATED', cell: one => showAgo(one.createdAt, Date.now()) },
        { title: 'ENVIRONMENT', cell: one => one.spec.environment },
        { title: 'PACKAGE', cell: one => one.spec.packageDigest.slice(0, 19) },
        { title: 'DESCRIPTION', cell: one => one.description },
      ],
      'There are no versions.',
    )
  },
}

function aliasesOf(aliases: readonly WireAlias[], version: number): string {
  return aliases
    .flatMap(alias =>
      alias.targets
        .filter(target => target.version === version)
        .map(target => (target.weight === 100 ? alias.name : `${alias.name} ${target.weight} %`)),
    )
    .join(', ')
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show everything that a version freezes',
  args: [FUNCTION_ARG, NUMBER_ARG],
  options: [APP_OPTION],
  examples: [['atelier version show shop/thumbnail 3', 'how version 3 runs']],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const one = await (await context.client()).get<WireVersion>(`${path}/versions/${parseVersion(args[1])}`)
    const { spec } = one
    await context.result(one, () =>
      renderFields([
        ['version', one.number],
        ['description', one.description],
        ['environment', spec.environment],
        ['contract', spec.contract?.name],
        ['entry', spec.entry],
        ['package', spec.packageDigest],
        ['bundle', spec.bundleDigest],
        ['memory', `${spec.limits.memoryMiB} MiB`],
        ['cpu', `${spec.limits.cpuMillicores}m`],
        ['timeout', showDuration(spec.limits.timeoutMs)],
        ['concurrency', spec.limits.concurrency],
        [
          'instances',
          `${spec.scaling.instancesMin} to ${spec.scaling.instancesMax}, idle at most ${showDuration(spec.scaling.idleMs)}`,
        ],
        ['network', spec.network],
        ['isolation', spec.isolation ?? 'process'],
        [
          'config',
          Object.entries(spec.config)
            .map(([key, value]) => `${key}=${value}`)
            .join('\n'),
        ],
        ['secrets', spec.secrets.join(', ')],
        ['created', `${one.createdAt} by ${one.createdBy}`],
      ]),
    )
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a version that no alias names',
  args: [FUNCTION_ARG, NUMBER_ARG],
  options: [APP_OPTION, YES_OPTION],
  examples: [['atelier version delete shop/thumbnail 2', 'version 2']],
  async run({ context, args, options }) {
    const { app, name, path } = parsePlainReference(args[0]!, options.text('app'))
    const number = parseVersion(args[1])
    await confirm(context, options, `Delete version ${number} of ${app}/${name}?`)
    await (await context.client()).request('DELETE', `${path}/versions/${number}`)
    context.note(`${app}/${name} version ${number} is deleted.`)
  },
}

export const version: GroupSpec = {
  name: 'version',
  aliases: ['versions'],
  summary: 'Look at the versions of a function',
  commands: [list, show, remove],
}
