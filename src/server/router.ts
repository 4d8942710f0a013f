import { createRouter, type Router } from '../router/index.ts'
import type { Parts } from './parts.ts'
import type { Site } from './site.ts'

const KIB = 1024

/** The data plane's door, not yet listening. */
export function openRouter(site: Site, { table, invoker, asyncCalls, identity, triggers }: Parts): Router {
  const { config, log, clock, urls, certificate, opened } = site
  return opened.adopt(
    createRouter({
      table,
      invoker,
      async: asyncCalls,
      asyncUrl: id => urls.asyncCall(id),
      identity,
      log,
      clock,
      trustForwarded: config['trust-forwarded'],
      encrypt: certificate?.encrypt,
      limits: { messageBytesMax: config['websocket-message-kib-max'] * KIB },
      hooks: triggers,
    }),
    each => each.close(),
  )
}
