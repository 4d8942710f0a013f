const PATH_CHARACTERS_MAX = 4096

/** The types of this server's services, in the catalogue and in access rules. */
export const SERVICES = {
  identity: 'identity',
  api: 'faas',
  router: 'faas-router',
  picasso: 'functions',
  qinling: 'function-engine',
} as const

/** A kind of request that an application credential is good for. */
export interface AccessRule {
  /** The service's type in the catalogue. */
  readonly service: string
  readonly method: string
  /** `*` and `{name}` stand for one segment or the rest of one, `**` for anything. */
  readonly path: string
}

/** A request, as access rules see it. */
export interface ServiceRequest {
  /** The type of the service that is asked; see `SERVICES`. */
  readonly service: string
  readonly method: string
  /** From the service's root, without the query. */
  readonly path: string
  /**
   * The token (`X-Service-Token`) of another service that passes on what its own caller asked. Who answers for the caller needs no rule, and
   * may finish what began before the caller's token ended.
   */
  readonly serviceToken?: string
}

/** Whether one of the rules names this request. */
export function allowsRequest(rules: readonly AccessRule[], request: ServiceRequest): boolean {
  return rules.some(
    rule =>
      rule.service === request.service &&
      rule.method === request.method &&
      matchesPath(rule.path, request.path),
  )
}

/**
 * Whether the whole path is of this pattern. All readings of the pattern are followed at once, so that what a tenant
 * wrote there costs at most its length times the path's.
 */
export function matchesPath(pattern: string, path: string): boolean {
  if (path.length > PATH_CHARACTERS_MAX) return false
  const parts = partsOf(pattern)
  let places = skip(parts, new Set([0]))
  for (const character of path) {
    const next = new Set<number>()
    for (const place of places) {
      const part = parts[place]
      if (part === undefined) continue
      if (part === 'anything') next.add(place)
      else if (part === 'segment') {
        if (character !== '/') next.add(place).add(place + 1)
      } else if (part.literal === character) next.add(place + 1)
    }
    if (next.size === 0) return false
    places = skip(parts, next)
  }
  return places.has(parts.length)
}

type Part = 'anything' | 'segment' | { readonly literal: string }

function partsOf(pattern: string): readonly Part[] {
  return [...pattern.matchAll(/(\*\*)|(\*|\{[^/{}]*\})|([^])/gu)].map(([, anything, segment, literal]) => {
    if (anything !== undefined) return 'anything'
    return segment === undefined ? { literal: literal! } : 'segment'
  })
}

/** `anything` may be nothing. */
function skip(parts: readonly Part[], places: Set<number>): Set<number> {
  for (const place of places) if (parts[place] === 'anything') places.add(place + 1)
  return places
}
