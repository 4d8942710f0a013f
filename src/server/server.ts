import type { FastifyInstance } from 'fastify'
import { FunctionTable, withoutTail } from '../core/index.ts'
import type { CatalogueService } from '../identity-api/index.ts'
import type { Router } from '../router/index.ts'
import { openApi } from './api.ts'
import { bannerOf } from './banner.ts'
import { dialectServices, ownServices } from './catalogue.ts'
import type { ServerConfig } from './config.ts'
import { openControlPlane } from './control-plane.ts'
import { openDataPlane } from './data-plane.ts'
import {
  checkDialects,
  closeDialects,
  type RunningDialect,
  readDialects,
  startDialects,
  type WantedDialect,
} from './dialects.ts'
import { Doors, type Inherited } from './doors.ts'
import { openEventPlane, openEventSources } from './event-plane.ts'
import { openFoundation } from './foundation.ts'
import { updateAdminFile } from './home.ts'
import { listening } from './listen.ts'
import type { ServerLog } from './log.ts'
import { describeParts } from './metrics.ts'
import { followNodes, nodeUrlOf } from './nodes.ts'
import type { Parts } from './parts.ts'
import { openRouter } from './router.ts'
import { openSandboxes } from './sandboxes.ts'
import { openSite, type Site } from './site.ts'
import { keepUp } from './upkeep.ts'

export interface Server {
  readonly apiUrl: string
  readonly routerUrl: string
  /** Where each dialect that was asked for answers, by name. */
  readonly dialects: ReadonlyMap<string, string>
  /** What to print: what runs, where, how to log in. */
  readonly banner: string
  /** The sockets it listens on, to be handed on. */
  readonly doors: Pick<Doors, 'handles'>
  /** Whether it was told to stop. */
  readonly isStopping: boolean
  /** Reads its certificate again, if it has one. Rejects with INVALID_INPUT when that cannot be used; the old one is kept. */
  reload(): Promise<void>
  /** Takes nothing new, lets what runs finish for at most the configured time, and closes everything. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Puts the whole server together and starts it: read from top to bottom, this is the architecture. What is opened is
 * closed in reverse order, also when a later step fails. `inherited`: sockets by the names of doors, where somebody opened them before.
 */
export async function startServer(
  config: ServerConfig,
  log: ServerLog,
  inherited: ReadonlyMap<string, Inherited> = new Map(),
): Promise<Server> {
  await using opened = new AsyncDisposableStack()
  const wanted = readDialects(config.dialects)
  const site = await openSite(config, log, opened)
  const { urls, certificate } = site
  const notReady = new Set(['The server is starting.'])

  const doors = new Doors(inherited)
  const parts = await openParts(site, () => checkDoors(site, doors, wanted))
  const entrance = await openEntrance(site, parts, { doors, wanted, notReady })
  const { router, api, apiPort, dialects } = entrance

  // What acts by itself, now that it can be reached.
  await parts.nodes?.join(config['node-url'] || nodeUrlOf(urls.scheme, config.host, apiPort))
  await parts.triggers.start()
  // A command on this machine needs no detour, unless the certificate is for the name that the outside knows.
  updateAdminFile(site.home, { url: certificate ? urls.api : urls.at(apiPort), routerUrl: urls.router })
  keepUp(site, parts, { router, api: api.server, dialects })
  notReady.clear()

  const resources = opened.move()
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    notReady.add('The server is stopping.')
    try {
      await drain(site, parts, entrance)
    } finally {
      await resources.disposeAsync()
    }
  }
  const dialectUrls = new Map(dialects.map(({ name, port }) => [name, urls.at(port)]))
  return {
    apiUrl: urls.api,
    routerUrl: urls.router,
    banner: bannerOf(site, parts, dialectUrls),
    dialects: dialectUrls,
    doors,
    get isStopping() {
      return stopping !== undefined
    },
    async reload() {
      if (!certificate) return
      await certificate.reload()
      doors.renew(certificate.pair)
      log.info(certificate.facts, 'the certificate was read again')
    },
    stop: () => (stopping ??= stop()),
  }
}

/**
 * What all planes stand on, what runs code, and the planes, which meet in the table. `check` runs when the data is this
 * server's own, and before what takes long.
 */
async function openParts(site: Site, check: () => Promise<void>): Promise<Parts> {
  const foundation = await openFoundation(site, {
    find: reference => control.findProject(reference),
    adopt: project => control.adoptProject(project),
  })
  await check()
  const sandboxes = await openSandboxes(site, foundation)
  const sources = openEventSources(site, foundation)
  const table = new FunctionTable()
  const control = await openControlPlane(site, { ...foundation, ...sandboxes, ...sources, table })
  const data = openDataPlane(site, { ...foundation, ...sandboxes, table, control })
  const events = await openEventPlane(site, { ...foundation, ...sources, ...data, table })
  const parts = { ...foundation, ...sandboxes, ...sources, ...data, ...events, table, control }
  if (parts.nodes) followNodes(parts.nodes, parts, site)
  return parts
}

/** Rejects when a port is taken. */
async function checkDoors({ config }: Site, doors: Doors, wanted: readonly WantedDialect[]): Promise<void> {
  const { host } = config
  await doors.check({ name: 'router', setting: 'router-port', port: config['router-port'], host })
  await doors.check({ name: 'api', setting: 'port', port: config.port, host })
  await checkDialects(wanted, doors, host)
}

/** All by which others come in. */
interface Entrance {
  readonly doors: Doors
  readonly router: Router
  readonly api: FastifyInstance
  readonly apiPort: number
  readonly dialects: readonly RunningDialect[]
}

/** Opens it, listening: the router first, since the API tells where it is. */
async function openEntrance(
  site: Site,
  parts: Parts,
  options: {
    readonly doors: Doors
    readonly wanted: readonly WantedDialect[]
    readonly notReady: ReadonlySet<string>
  },
): Promise<Entrance> {
  const { config, urls, opened } = site
  const { doors, wanted, notReady } = options
  const { host } = config
  const services: CatalogueService[] = [...ownServices(urls)]
  const router = openRouter(site, parts)
  const api = await openApi(site, parts, { services, notReady })
  describeParts(parts, router, site.version)
  const routerPort = await doors.open({
    name: 'router',
    setting: 'router-port',
    port: config['router-port'],
    host,
    open: async at => {
      await router.listen(at.port, at.host, at.fd)
      return router.listener
    },
  })
  urls.router ||= urls.at(routerPort)
  const apiPort = await doors.open({
    name: 'api',
    setting: 'port',
    port: config.port,
    host,
    open: at => listening(api, at),
  })
  urls.api = withoutTail(config['api-url'], '/') || urls.at(apiPort)
  const dialects = opened.adopt(await startDialects(wanted, doors, site, parts), closeDialects)
  services.push(...dialectServices(dialects, { qinling: config['qinling-endpoint'] }))
  doors.closeUnused()
  return { doors, router, api, apiPort, dialects }
}

/** Takes nothing new, and lets what runs finish: first what acts by itself, last the instances. */
async function drain(
  { config, clock }: Site,
  { triggers, nodes, asyncCalls, pool }: Parts,
  { doors, router, api, dialects }: Entrance,
): Promise<void> {
  const graceMs = config['drain-ms']
  doors.leave()
  await triggers.close()
  await nodes?.resign()
  await Promise.all([router.drain(graceMs), asyncCalls.drain(graceMs)])
  // Before the pool, which what still comes in by these doors may want.
  const apisClosed = Promise.all([api.close(), closeDialects(dialects)])
  const patience = Promise.withResolvers<void>()
  const cancelPatience = clock.after(graceMs, patience.resolve)
  await Promise.race([apisClosed, patience.promise]).finally(cancelPatience)
  await pool.close(graceMs)
}
