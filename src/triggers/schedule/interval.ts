const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const INTERVAL_MS_MIN = 1_000
const INTERVAL_MS_MAX = 366 * 86_400_000

/** Milliseconds of `90s`, `1h30m`, `2d`; `undefined` for what cannot be read or is shorter than a second. */
export function parseInterval(text: string): number | undefined {
  const compact = text.trim().replace(/\s+/g, '')
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return undefined
  let ms = 0
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    ms += Number(amount) * MS_PER_UNIT[unit!]!
  return ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX ? Math.round(ms) : undefined
}
