const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds of `500ms`, `30s`, `1.5h`, `2d`; a bare number is seconds. `undefined` for what cannot be read. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  if (!match) return undefined
  return Math.round(Number(match[1]) * MS_PER_UNIT[match[2] ?? 's']!)
}
