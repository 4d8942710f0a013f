import { AtelierError } from '../core/index.ts'

/** Header fields that are the same in many calls, checked and written out once. */
export class HeaderBlock {
  /** A line for each field, with a line break before it: `\nname: value`. */
  readonly text: string

  /** `fields`: name, value, … as in `CallHead`. Throws INVALID_INPUT when one holds a line break, which would forge another. */
  constructor(fields: readonly string[]) {
    this.text = headerLines(fields)
  }
}

/** `fields` as lines; see `HeaderBlock`. */
export function headerLines(fields: readonly string[]): string {
  let text = ''
  for (let i = 0; i < fields.length; i += 2) text += `\n${fields[i]}: ${fields[i + 1]}`
  if (countLineBreaks(text) !== fields.length / 2)
    throw new AtelierError('INVALID_INPUT', 'A header of this call holds a line break.')
  return text
}

function countLineBreaks(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}
