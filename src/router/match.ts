import { type HttpTrigger, type PathPattern, parsePattern } from '../core/index.ts'

/** A trigger, ready to be matched. */
export interface Route {
  readonly trigger: HttpTrigger
  readonly pattern: PathPattern
}

/** What the index says of a request: a route with its parameters, or the methods that would have been right. */
export type Found = Matched | { readonly allow: readonly string[] }

export interface Matched {
  readonly route: Route
  /** Of the pattern's parameters, in their order. */
  readonly values: readonly string[]
  /** What a prefix left over; "/" at least. */
  readonly rest: string
}

/**
 * All routes, by host and then by path segment; changed one route at a time. The rules, the first that differs decides:
 *
 * 1. A route for the request's host comes before one for any host. There only routes of the project are, whose host it is.
 * 2. Paths are compared segment by segment from the left: a literal comes before a parameter, a parameter before `*`.
 *    `/a/*` also matches `/a`, after an exact `/a`.
 * 3. A route that lists the method comes before one for any method. Listing GET includes HEAD, after HEAD itself.
 * 4. The older trigger, then the smaller id.
 *
 * A route that does not take the method is passed over. If only such routes are left, the answer is their methods.
 */
export class RouteIndex {
  readonly #anyHost = new Node()
  readonly #hosts = new Map<string, OwnHost>()
  readonly #byId = new Map<string, Route>()

  get size(): number {
    return this.#byId.size
  }

  /** Adds a trigger, or puts it in the place of an earlier one with the same id. Throws INVALID_INPUT for a bad path. */
  set(trigger: HttpTrigger): void {
    this.delete(trigger.id)
    const route = { trigger, pattern: parsePattern(trigger.path) }
    const node = this.#nodeFor(route)
    const list = route.pattern.prefix ? node.prefixes : node.exacts
    const at = list.findIndex(other => compareAge(trigger, other.trigger) < 0)
    list.splice(at < 0 ? list.length : at, 0, route)
    this.#byId.set(trigger.id, route)
  }

  delete(id: string): void {
    const route = this.#byId.get(id)
    if (!route) return
    this.#byId.delete(id)
    const host = route.trigger.host?.toLowerCase()
    const root = host === undefined ? this.#anyHost : this.#hosts.get(host)?.root
    if (root && removeFrom(root, route, 0) && host !== undefined) this.#hosts.delete(host)
  }

  /** The project whose host this is, in lower case without port; `undefined` for one that all share. */
  ownerOf(host: string): string | undefined {
    return this.#hosts.size > 0 ? this.#hosts.get(host)?.projectId : undefined
  }

  /** `host` in lower case without port; `path` canonical. `undefined`: no route has this path. */
  find(host: string, method: string, path: string): Found | undefined {
    const own = this.#hosts.size > 0 ? this.#hosts.get(host) : undefined
    const search = new Search(method, path, own?.projectId)
    if (own && search.visit(own.root, 0)) return search.found
    if (search.visit(this.#anyHost, 0)) return search.found
    return search.allow.size > 0 ? { allow: [...search.allow].sort() } : undefined
  }

  #nodeFor({ trigger, pattern }: Route): Node {
    let node = this.#anyHost
    if (trigger.host !== undefined) {
      const host = trigger.host.toLowerCase()
      const own = this.#hosts.get(host) ?? { projectId: trigger.projectId, root: new Node() }
      this.#hosts.set(host, own)
      node = own.root
    }
    for (const segment of pattern.segments) {
      if (segment === null) node = node.parameter ??= new Node()
      else {
        let next = node.literals.get(segment)
        if (!next) node.literals.set(segment, (next = new Node()))
        node = next
      }
    }
    return node
  }
}

/** A host that a project has routed: the control plane lets no other one route it. */
interface OwnHost {
  readonly projectId: string
  readonly root: Node
}

class Node {
  readonly literals = new Map<string, Node>()
  parameter: Node | undefined
  readonly exacts: Route[] = []
  readonly prefixes: Route[] = []

  get isEmpty(): boolean {
    return !this.literals.size && !this.parameter && !this.exacts.length && !this.prefixes.length
  }
}

/** One walk. Every node is visited at most once, so a walk is never longer than the index is large. */
class Search {
  found: Found | undefined
  readonly allow = new Set<string>()
  readonly #values: string[] = []
  readonly #method: string
  readonly #path: string
  readonly #projectId: string | undefined

  /** `projectId`: whose routes alone count. */
  constructor(method: string, path: string, projectId: string | undefined) {
    this.#method = method
    this.#path = path
    this.#projectId = projectId
  }

  /** `at` is the position of the slash before the next segment, or the end. */
  visit(node: Node, at: number): boolean {
    const path = this.#path
    if (at === path.length) return this.#take(node.exacts, '/') || this.#take(node.prefixes, '/')
    const slash = path.indexOf('/', at + 1)
    const end = slash < 0 ? path.length : slash
    if (node.literals.size > 0) {
      const next = node.literals.get(path.slice(at + 1, end))
      if (next && this.visit(next, end)) return true
    }
    if (node.parameter && end > at + 1) {
      this.#values.push(path.slice(at + 1, end))
      if (this.visit(node.parameter, end)) return true
      this.#values.pop()
    }
    return node.prefixes.length > 0 && this.#take(node.prefixes, path.slice(at))
  }

  #take(routes: readonly Route[], rest: string): boolean {
    if (routes.length === 0) return false
    let best: Route | undefined
    let bestRank = 0
    for (const route of routes) {
      if (this.#projectId !== undefined && route.trigger.projectId !== this.#projectId) continue
      const rank = methodRank(route.trigger.methods, this.#method)
      if (rank > bestRank) {
        best = route
        bestRank = rank
      } else if (rank === 0) for (const method of route.trigger.methods) this.allow.add(method)
    }
    if (!best) return false
    this.found = { route: best, values: this.#values, rest }
    return true
  }
}

/** 0: not taken; higher is more exact. */
export function methodRank(methods: readonly string[], method: string): number {
  if (methods.length === 0) return 1
  if (methods.includes(method)) return 3
  return method === 'HEAD' && methods.includes('GET') ? 2 : 0
}

/** Negative when `a` comes first: the older, then the smaller id. */
export function compareAge(a: HttpTrigger, b: HttpTrigger): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/** Takes the route out, and nodes that hold nothing any more; true when `node` is such a node. */
function removeFrom(node: Node, route: Route, depth: number): boolean {
  const { segments, prefix } = route.pattern
  if (depth === segments.length) {
    const list = prefix ? node.prefixes : node.exacts
    list.splice(list.indexOf(route), 1)
    return node.isEmpty
  }
  const segment = segments[depth]!
  const next = segment === null ? node.parameter : node.literals.get(segment)
  if (next && removeFrom(next, route, depth + 1)) {
    if (segment === null) node.parameter = undefined
    else node.literals.delete(segment)
  }
  return node.isEmpty
}
