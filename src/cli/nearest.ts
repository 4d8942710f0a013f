/** The known word that a mistyped one most likely stands for, or `undefined` when none is near. Pure. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map(one => ({ one, distance: distance(word.toLowerCase(), one.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [best] = ranked
  return best && best.distance <= Math.max(1, Math.floor(best.one.length / 3)) ? best.one : undefined
}

const WORD_CHARACTERS_MAX = 64

/** Levenshtein's distance, row by row, where a swap of neighbours, which fingers make most, is one change. */
function distance(a: string, b: string): number {
  if (a.length > WORD_CHARACTERS_MAX || b.length > WORD_CHARACTERS_MAX) return Number.POSITIVE_INFINITY
  let before: readonly number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(
        Math.min(
          row[j]! + 1,
          next[j - 1]! + 1,
          row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
          swapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    before = row
    row = next
  }
  return row[b.length]!
}
