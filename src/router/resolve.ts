import type { FunctionTable, HttpTrigger, TableFunction } from '../core/index.ts'
import { AtelierError } from '../core/index.ts'
import type { Matched, RouteIndex } from './match.ts'

/** Which function a request is for, and how it sees the request. */
export interface Resolved {
  readonly function: TableFunction
  /** Version or alias; `undefined` is the live one. */
  readonly qualifier: string | undefined
  /** The path that the function sees; canonical. */
  readonly path: string
  /** Absent for `/{project}/{app}/{function}`. */
  readonly trigger: HttpTrigger | undefined
  readonly parameters: readonly string[]
  readonly values: readonly string[]
  readonly isPrivate: boolean
  /** Whether nobody else answers on the host that was asked: what a browser is told of all of it is then the function's to say. */
  readonly ownsHost: boolean
}

/**
 * Resolves a canonical path. Throws NOT_FOUND; METHOD_NOT_ALLOWED with the methods in `allow`.
 *
 * A trigger comes before `/{project}/{app}/{function}`, except where that names an existing function of another
 * project than the trigger's: nobody's route takes over a neighbour's functions. On a host that a project has routed, only
 * its own functions answer: to a browser, a neighbour's page there would be a page of the project, and get its cookies.
 */
export function resolve(
  table: FunctionTable,
  index: RouteIndex,
  host: string,
  method: string,
  path: string,
): Resolved {
  const owner = index.ownerOf(host)
  const found = index.size > 0 ? index.find(host, method, path) : undefined
  if (found && 'route' in found) {
    const { trigger } = found.route
    const direct = isOwnPath(table, trigger, path) ? undefined : byName(table, path, owner)
    if (direct && direct.function.projectId !== trigger.projectId) return direct
    const resolved = byTrigger(table, found, path, owner)
    if (resolved) return resolved
  }
  const direct = byName(table, path, owner)
  if (direct) return direct
  if (found && 'allow' in found) throw new MethodNotAllowed(method, found.allow)
  throw notFound()
}

/** 405 says what would be allowed (RFC 9110, 15.5.6). */
export class MethodNotAllowed extends AtelierError {
  readonly allow: readonly string[]

  constructor(method: string, methods: readonly string[]) {
    super('METHOD_NOT_ALLOWED', `No route takes ${method} here; ${methods.join(', ')} would be taken.`)
    this.allow = methods.includes('GET') && !methods.includes('HEAD') ? [...methods, 'HEAD'] : methods
  }
}

/** The one answer for what is not there and for what another project keeps to itself. */
export function notFound(): AtelierError {
  return new AtelierError(
    'NOT_FOUND',
    'No function answers here. Check the address, or list routes with "atelier trigger list".',
  )
}

function byTrigger(
  table: FunctionTable,
  found: Matched,
  path: string,
  owner: string | undefined,
): Resolved | undefined {
  const { trigger, pattern } = found.route
  const target = table.functions.get(trigger.functionId)
  if (!target) return undefined
  const seen = pattern.prefix && trigger.stripPrefix ? found.rest : path
  // A path that begins with "//" reads as a host in many a URL parser, the functions' too.
  if (seen.startsWith('//')) throw notFound()
  return {
    function: target,
    qualifier: trigger.alias,
    path: seen,
    trigger,
    parameters: pattern.parameters,
    values: found.values,
    isPrivate: (trigger.access ?? target.access) === 'private',
    ownsHost: owner !== undefined,
  }
}

/** `owner`: the project whose functions alone answer here. */
function byName(table: FunctionTable, path: string, owner: string | undefined): Resolved | undefined {
  const afterProject = path.indexOf('/', 1)
  if (afterProject < 0) return undefined
  const afterApp = path.indexOf('/', afterProject + 1)
  if (afterApp < 0) return undefined
  const slash = path.indexOf('/', afterApp + 1)
  const end = slash < 0 ? path.length : slash
  const colon = path.indexOf(':', afterApp + 1)
  const isQualified = colon > 0 && colon < end
  const target = table.byPath(
    path.slice(1, afterProject),
    path.slice(afterProject + 1, afterApp),
    path.slice(afterApp + 1, isQualified ? colon : end),
  )
  if (!target || (owner !== undefined && target.projectId !== owner)) return undefined
  const rest = slash < 0 ? '/' : path.slice(slash)
  if (rest.startsWith('//')) throw notFound()
  return {
    function: target,
    qualifier: isQualified ? path.slice(colon + 1, end) : undefined,
    path: rest,
    trigger: undefined,
    parameters: NONE,
    values: NONE,
    isPrivate: target.access === 'private',
    ownsHost: owner !== undefined,
  }
}

const NONE: readonly string[] = []

function isOwnPath(table: FunctionTable, trigger: HttpTrigger, path: string): boolean {
  const project = table.projects.get(trigger.projectId)?.name
  return project !== undefined && path.startsWith(project, 1) && path[project.length + 1] === '/'
}
