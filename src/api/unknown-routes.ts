import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'

/**
 * What a path that is known answers to a method that is not: 405 with `Allow`, or the list itself for OPTIONS. Without it
 * a wrong method looks like a wrong path.
 */
export function unknownRoutes(
  server: FastifyInstance,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const methodsByPattern = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  server.addHook('onRoute', route => {
    if (route.url.endsWith('*')) return
    const entry = methodsByPattern.get(route.url) ?? {
      pattern: patternOf(route.url),
      methods: new Set<string>(),
    }
    for (const method of [route.method].flat()) entry.methods.add(method)
    methodsByPattern.set(route.url, entry)
  })

  return async (request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const methods = new Set<string>()
    for (const entry of methodsByPattern.values())
      if (entry.pattern.test(path)) for (const method of entry.methods) methods.add(method)
    if (methods.size === 0)
      throw new AtelierError(
        'NOT_FOUND',
        `There is nothing at ${JSON.stringify(path.slice(0, 200))}; see /docs for what there is.`,
      )
    const allow = [...methods, 'OPTIONS'].sort().join(', ')
    reply.header('allow', allow)
    if (request.method === 'OPTIONS') {
      await reply.code(204).send()
      return
    }
    throw new AtelierError(
      'METHOD_NOT_ALLOWED',
      `${request.method} is not possible here; possible are ${allow}.`,
    )
  }
}

function patternOf(url: string): RegExp {
  const escaped = url.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')
  return new RegExp(`^${escaped}/?$`)
}
