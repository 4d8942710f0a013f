import { AtelierError, canonicalPath } from '../core/index.ts'

/** A request's target, taken apart. */
export interface Target {
  /** As it is passed on; from the target itself when that names one (it outranks the Host field). */
  readonly host: string
  /** Canonical; `*` for OPTIONS about the server as a whole. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
}

/** Throws INVALID_INPUT for what cannot be one resource beyond doubt. */
export function readTarget(method: string, raw: string, hostField: string | undefined): Target {
  if (!PRINTABLE.test(raw))
    throw bad('The address holds a fragment or characters that must be percent-encoded.')
  let host = hostField ?? ''
  let rest = raw
  if (raw.charCodeAt(0) !== SLASH) {
    if (raw === '*' && method === 'OPTIONS') return { host: checkHost(host), path: '*', query: '' }
    const absolute = ABSOLUTE.exec(raw)
    if (!absolute) throw bad('The request target must be a path or an http address.')
    host = absolute[1]!
    if (host === '') throw bad('The request target names no host.')
    rest = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`
  }
  const mark = rest.indexOf('?')
  const path = canonicalPath(mark < 0 ? rest : rest.slice(0, mark))
  if (path === undefined)
    throw bad(
      'The path has more than one reading: dot segments, "//" at its start, "\\", %00 and broken escapes are refused.',
    )
  return { host: checkHost(host), path, query: mark < 0 ? '' : rest.slice(mark) }
}

/** The host alone, as routes name it: lower case, without port and final dot. */
export function hostName(host: string): string {
  if (host !== lastHost) {
    const name = host.replace(/:\d*$/, '').toLowerCase()
    lastName = name.endsWith('.') ? name.slice(0, -1) : name
    lastHost = host
  }
  return lastName
}

// Requests in a row are mostly for one host.
let lastHost = ''
let lastName = ''
let lastGoodHost = ''

const SLASH = 0x2f
const PRINTABLE = /^[\x21\x22\x24-\x7e]+$/ // no "#"
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/

function checkHost(host: string): string {
  if (host !== lastGoodHost && !HOST.test(host))
    throw bad('The host is not a host name with an optional port.')
  lastGoodHost = host
  return host
}

function bad(message: string): AtelierError {
  return new AtelierError('INVALID_INPUT', message)
}
