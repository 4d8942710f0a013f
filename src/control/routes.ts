import { isIP } from 'node:net'
import { parsePattern } from '../core/index.ts'
import type { Problems } from './validate.ts'

const PATH_CHARACTERS_MAX = 500
const HOST_CHARACTERS_MAX = 253
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Where a route lies. */
export interface RoutePlace {
  /**
   * What belongs to one project alone, the first that uses it: a host, or for routes of any host the first segment of the
   * path. So nobody can put a more exact route in front of a neighbour's, or a page of theirs on a neighbour's host.
   */
  readonly space: string
  /** Two paths of one shape match the same requests: the names of the parameters do not count. */
  readonly shape: string
  /** The first segment when it is a literal of a route for any host. */
  readonly firstSegment: string | undefined
}

/** Throws INVALID_INPUT for a path that cannot be routed. */
export function placeOf(host: string, path: string): RoutePlace {
  const { segments, prefix } = parsePattern(path)
  const [first] = segments
  const shape = `/${[...segments.map(segment => segment ?? '{}'), ...(prefix ? ['*'] : [])].join('/')}`
  const firstSegment = host === '' && typeof first === 'string' ? first : undefined
  return { space: host === '' ? `path:${firstSegment ?? '*'}` : `host:${host}`, shape, firstSegment }
}

/** Whether one request could be meant for both, given the same host and shape. No method at all means every method. */
export function methodsOverlap(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some(method => b.includes(method))
}

export function checkRoute(
  { host, methods, path }: { host: string; methods: readonly string[]; path: string },
  sharedHosts: readonly string[],
  problems: Problems,
): void {
  if (path.length > PATH_CHARACTERS_MAX)
    problems.add('path', `must have at most ${PATH_CHARACTERS_MAX} characters`)
  if (path.startsWith('/-/') || /^\/%2d\//i.test(path))
    problems.add('path', 'must not begin with "/-/": those addresses are the platform\'s')
  for (const method of methods)
    if (!METHODS.includes(method)) problems.add('methods', `must be of ${METHODS.join(', ')}`)
  if (new Set(methods).size !== methods.length) problems.add('methods', 'must not name one twice')
  if (host === '') return
  const isName = host.length <= HOST_CHARACTERS_MAX && host.split('.').every(label => LABEL.test(label))
  if (!isName || isIP(host) !== 0)
    problems.add('host', 'must be a host name such as shop.example.org, without a port')
  else if (sharedHosts.includes(host))
    problems.add('host', `"${host}" is where everybody's functions answer: leave the host out`)
}
