import type { RouteOptions } from 'fastify'
import type { Dialect } from '../../src/dialects/dialect.ts'
import { DialectFixture } from './dialects.ts'

/** More methods than a client has a use for: the path takes any. */
const ANY_METHODS_MIN = 6

/** What a dialect serves, read off the server that it made: `GET /v1/apps/:app`, or `ANY …` where each method does the same. */
export interface Operation {
  readonly name: string
  readonly method: string
  /** With parameters as the dialect names them, without a slash at its end. */
  readonly path: string
}

/** A dialect that tells of each route that it adds. */
export function overheard(dialect: Dialect, onRoute: (route: RouteOptions) => void): Dialect {
  return {
    ...dialect,
    register(server, parts) {
      server.addHook('onRoute', onRoute)
      return dialect.register(server, parts)
    },
  }
}

/** Every operation of a dialect, so that a new one is nobody's to forget. Those that do nothing but refuse a method are none. */
export async function operationsOf(dialect: Dialect): Promise<readonly Operation[]> {
  const methods = new Map<string, Set<string>>()
  const at = await DialectFixture.open(
    overheard(dialect, ({ url, method }) => {
      const path = url.length > 1 ? url.replace(/\/$/, '') : url
      const known = methods.get(path) ?? new Set()
      for (const each of [method].flat()) known.add(each)
      methods.set(path, known)
    }),
  )
  try {
    const { token, principal } = await at.login('nobodys')
    const served = async (method: string, path: string): Promise<boolean> => {
      const url = path.replace(':project_id', principal.projectId).replaceAll(/:\w+|\*/g, 'nothing')
      return (await at.ask(method, url, { token })).status !== 405
    }
    const found: Operation[] = []
    for (const [path, all] of methods) {
      const real = []
      // Where HEAD is served it is with GET, or with all.
      for (const method of all) if (method !== 'HEAD' && (await served(method, path))) real.push(method)
      const named = real.length >= ANY_METHODS_MIN ? ['ANY'] : real
      for (const method of named) found.push({ name: `${method} ${path}`, method, path })
    }
    return found
  } finally {
    await at.dispose()
  }
}

/** What the address of an operation looks like. */
export function addressOf({ path }: Operation): RegExp {
  const escaped = path.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${escaped.replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.+')}/?$`)
}
