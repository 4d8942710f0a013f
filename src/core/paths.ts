import { AtelierError } from './errors.ts'

/**
 * Paths of URLs, in one canonical form, so that what is matched is what the function sees and there is no second
 * spelling that reaches around a private route.
 *
 * The canonical form (RFC 3986, 6.2.2): escapes of unreserved characters are decoded, other escapes have upper-case
 * digits, characters that may not stand in a path are escaped. An encoded slash stays encoded and never separates.
 * Empty segments count: `/a//b` is not `/a/b`. Refused (`undefined`): dot segments, also encoded ones; a broken escape;
 * an encoded NUL; a backslash; control and non-ASCII characters; a path that begins with `//` (it reads as a host).
 */
export function canonicalPath(raw: string): string | undefined {
  if (PLAIN.test(raw)) return raw
  if (raw.charCodeAt(0) !== SLASH || raw.charCodeAt(1) === SLASH) return undefined
  const text = canonicalText(raw)
  if (text === undefined || DOT_SEGMENT.test(text)) return undefined
  return text
}

/** The path of a request to a server of Node's, which takes `#` for its end as it does `?`, though no target may have one. */
export function pathAsked(target: string): string {
  return target.split(/[?#]/, 1)[0]!
}

/** What an HTTP trigger's path says: `/a/b`, `/a/{id}`, `/a/*`, and mixtures of them. */
export interface PathPattern {
  /** Literal segments in canonical form, `null` for a parameter. `/` has one empty segment. */
  readonly segments: readonly (string | null)[]
  /** Names of the parameters, from the left. */
  readonly parameters: readonly string[]
  /** Ends in `/*`: matches the path before it and everything below. */
  readonly prefix: boolean
}

/** More segments than this in a pattern are a mistake. */
export const PATTERN_SEGMENTS_MAX = 32

/** Reads a trigger's path. Throws INVALID_INPUT that says what is wrong with it. */
export function parsePattern(path: string): PathPattern {
  if (!path.startsWith('/')) throw wrong(path, 'it must begin with "/"')
  const parts = path.slice(1).split('/')
  const prefix = parts.at(-1) === '*'
  if (prefix) parts.pop()
  if (parts.length > PATTERN_SEGMENTS_MAX)
    throw wrong(path, `it has more than ${PATTERN_SEGMENTS_MAX} segments`)
  const parameters: string[] = []
  const segments = parts.map(part => {
    const name = PARAMETER.exec(part)?.[1]
    if (name !== undefined) {
      if (parameters.some(other => other.toLowerCase() === name.toLowerCase()))
        throw wrong(path, `it has the parameter {${name}} twice`)
      parameters.push(name)
      return null
    }
    if (/[{}]/.test(part))
      throw wrong(path, 'a parameter is a whole segment, {name}, of letters, digits, "-" and "_"')
    if (part.includes('*')) throw wrong(path, '"*" may only be the last segment')
    const literal = part === '' ? '' : canonicalPath(`/${part}`)?.slice(1)
    if (literal === undefined || /[?#]/.test(part))
      throw wrong(path, `the segment ${JSON.stringify(part)} cannot stand in a URL`)
    return literal
  })
  if (segments.length > 1 && segments[0] === '') throw wrong(path, 'it must not begin with "//"')
  return { segments, parameters, prefix }
}

function wrong(path: string, why: string): AtelierError {
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path)
  return new AtelierError('INVALID_INPUT', `path ${shown} cannot be routed: ${why}`, {
    errors: [{ pointer: 'path', detail: why }],
  })
}

const SLASH = 0x2f
const PERCENT = 0x25
const PARAMETER = /^\{([A-Za-z0-9][A-Za-z0-9_-]{0,62})\}$/
// The usual request needs nothing done: no escape, no segment that begins with a dot, no empty one but the last.
const PLAIN = /^\/(?:[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*(?:\/|$))*$/
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/
const UNRESERVED = /[\w.~-]/
const PATH_CHARACTER = /[\w.~!$&'()*+,;=:@/-]/
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/

function canonicalText(raw: string): string | undefined {
  let text = ''
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    const character = raw[i]!
    if (code === PERCENT) {
      const digits = raw.slice(i + 1, i + 3)
      if (!HEX_PAIR.test(digits) || digits === '00') return undefined
      const decoded = String.fromCharCode(Number.parseInt(digits, 16))
      text += UNRESERVED.test(decoded) ? decoded : `%${digits.toUpperCase()}`
      i += 2
    } else if (PATH_CHARACTER.test(character)) text += character
    else if (code <= 0x20 || code >= 0x7f || character === '\\') return undefined
    else text += `%${code.toString(16).toUpperCase()}`
  }
  return text
}
