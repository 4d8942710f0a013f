import {
  type AliasTarget,
  AtelierError,
  LIVE_ALIAS,
  type TableFunction,
  type TableVersion,
} from '../core/index.ts'

/**
 * The version that `qualifier` means: a number, an alias, or the live alias when `undefined`. `random` in [0, 1) chooses
 * among the targets of a weighted alias. An error instead of a version says what is missing and what there is.
 */
export function resolveVersion(
  target: TableFunction,
  qualifier: string | undefined,
  random: () => number,
): TableVersion | AtelierError {
  if (qualifier !== undefined && isNumber(qualifier))
    return target.versions.get(Number(qualifier)) ?? noVersion(target, qualifier)
  const alias = qualifier ?? LIVE_ALIAS
  const targets = target.aliases.get(alias)
  if (targets === undefined || targets.length === 0) return noAlias(target, alias)
  const number = targets.length === 1 ? targets[0]!.version : chooseTarget(targets, random()).version
  return target.versions.get(number) ?? noVersion(target, String(number))
}

/** The target that `point` in [0, 1) falls on when each takes as much of the line as its weight. */
export function chooseTarget(targets: readonly AliasTarget[], point: number): AliasTarget {
  let sum = 0
  for (const { weight } of targets) sum += weight
  let left = point * sum
  for (const target of targets) {
    left -= target.weight
    if (left < 0) return target
  }
  return targets.at(-1)!
}

function isNumber(text: string): boolean {
  return /^[0-9]{1,9}$/.test(text)
}

function noVersion(target: TableFunction, number: string): AtelierError {
  const numbers = [...target.versions.keys()].sort((a, b) => a - b)
  const kept = numbers.length === 0 ? 'it has none yet' : `versions kept are ${numbers.join(', ')}`
  return new AtelierError('NOT_FOUND', `Function "${nameOf(target)}" has no version ${number}; ${kept}.`)
}

const ALIASES_NAMED_MAX = 10

function noAlias(target: TableFunction, alias: string): AtelierError {
  const name = `Function "${nameOf(target)}"`
  if (alias === LIVE_ALIAS) return new AtelierError('NOT_FOUND', `${name} has not been deployed yet.`)
  const shown = alias.length > 63 ? `${alias.slice(0, 63)}…` : alias
  const known = [...target.aliases.keys()].slice(0, ALIASES_NAMED_MAX).join(', ')
  return new AtelierError(
    'NOT_FOUND',
    `${name} has no alias ${JSON.stringify(shown)}; its aliases are: ${known || 'none'}.`,
  )
}

/** How people know the function. */
export function nameOf(target: TableFunction): string {
  return `${target.appName}/${target.name}`
}
