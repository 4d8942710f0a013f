/** Colours, or nothing where they would only be noise. */
export interface Styles {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

/** Whether to colour what goes to `stream` (no-color.org; FORCE_COLOR for those who pipe into a pager). */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true
  return stream.isTTY === true && env.TERM !== 'dumb'
}

export function stylesFor(colour: boolean): Styles {
  const style = (open: number, close: number) => (text: string) =>
    colour && text ? `\x1b[${open}m${text}\x1b[${close}m` : text
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  }
}

/**
 * Text from a function, a log or another person's description, made safe to print: control characters (which could move the
 * cursor, retitle the terminal or hide what follows), and those that turn the order of what stands beside them, become visible
 * escapes. Tabs stay.
 */
export function printable(text: string): string {
  return text.replace(DRIVING, escaped)
}

/** The last look at a line of ours: as `printable`, but for the styles that `stylesFor` makes. */
export function screened(text: string): string {
  return text.replace(DRIVING_OR_STYLE, found => (found.length > 1 ? found : escaped(found)))
}

/** One character that drives a terminal. */
export const DRIVING = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu
// oxlint-disable-next-line no-control-regex
const DRIVING_OR_STYLE = new RegExp(`\\x1b\\[(?:1|2|22|31|32|33|36|39)m|${DRIVING.source}`, 'gu')

function escaped(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}
