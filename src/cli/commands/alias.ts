import { type AliasTarget, checkName } from '../../core/index.ts'
import type { WireAlias } from '../client/wire.ts'
import { usage } from '../failure.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { APP_OPTION, confirm, FUNCTION_ARG, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'
import { showTargets } from './function.ts'

const ALIAS_ARG = { syntax: '<alias>', help: 'Name of the alias' }

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List the aliases of a function',
  args: [FUNCTION_ARG],
  options: [APP_OPTION, LIMIT_OPTION],
  examples: [['atelier alias list shop/thumbnail', 'where each points']],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const items = await (await context.client()).all<WireAlias>(`${path}/aliases`, {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'ALIAS', cell: one => one.name },
        { title: 'VERSIONS', cell: showTargets },
        { title: 'UPDATED', cell: one => showAgo(one.updatedAt, Date.now()) },
      ],
      'There are no aliases.',
    )
  },
}

const set: CommandSpec = {
  name: 'set',
  summary: 'Point an alias to a version, or split its calls between several',
  args: [
    FUNCTION_ARG,
    ALIAS_ARG,
    { syntax: '<version...>', help: 'VERSION, or VERSION=WEIGHT for several; weights sum to 100' },
  ],
  options: [APP_OPTION],
  examples: [
    ['atelier alias set shop/thumbnail beta 4', 'calls to thumbnail:beta run version 4'],
    ['atelier alias set shop/thumbnail live 3=90 4=10', 'one call in ten tries version 4'],
  ],
  async run({ context, args, rest, options }) {
    const { app, name, path } = parsePlainReference(args[0]!, options.text('app'))
    checkName(args[1]!, 'alias')
    const targets = parseTargets(rest)
    const one = await (await context.client()).request<WireAlias>('PUT', `${path}/aliases/${args[1]}`, {
      json: { targets },
    })
    await context.result(one, () => [`${app}/${name}:${one.name} -> ${showTargets(one)}`])
  },
}

/** `['3=90', '4=10']`, or `['4']`. Throws a usage failure for what cannot be a split. */
export function parseTargets(words: readonly string[]): AliasTarget[] {
  const targets = words.map(word => {
    const match = /^v?([1-9]\d{0,8})(?:=(\d{1,3})%?)?$/.exec(word)
    if (!match) throw usage(`${JSON.stringify(word)} is neither VERSION nor VERSION=WEIGHT`)
    return { version: Number(match[1]), weight: match[2] === undefined ? undefined : Number(match[2]) }
  })
  if (targets.length === 1)
    return [{ version: targets[0]!.version, weight: targets[0]!.weight ?? 100 }].map(checkWhole)
  const weighted = targets.map(({ version, weight }) => {
    if (weight === undefined)
      throw usage(`version ${version} has no weight`, 'With several versions each needs one: 3=90 4=10.')
    return { version, weight }
  })
  const sum = weighted.reduce((total, target) => total + target.weight, 0)
  if (sum !== 100) throw usage(`the weights sum to ${sum}, not to 100`)
  return weighted
}

function checkWhole(target: AliasTarget): AliasTarget {
  if (target.weight !== 100) throw usage(`the weights sum to ${target.weight}, not to 100`)
  return target
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete an alias; its versions stay',
  args: [FUNCTION_ARG, ALIAS_ARG],
  options: [APP_OPTION, YES_OPTION],
  examples: [['atelier alias delete shop/thumbnail beta', 'the alias beta']],
  async run({ context, args, options }) {
    const { app, name, path } = parsePlainReference(args[0]!, options.text('app'))
    checkName(args[1]!, 'alias')
    await confirm(context, options, `Delete the alias ${args[1]} of ${app}/${name}?`)
    await (await context.client()).request('DELETE', `${path}/aliases/${args[1]}`)
    context.note(`${app}/${name}:${args[1]} is deleted.`)
  },
}

export const alias: GroupSpec = {
  name: 'alias',
  aliases: ['aliases'],
  summary: 'Name versions, and split calls between them',
  commands: [list, set, remove],
}
