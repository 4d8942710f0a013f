import { availableParallelism } from 'node:os'
import { createApi, type ServerStatus } from '../api/index.ts'
import { createAsyncCalls, createWebhooks } from '../async/index.ts'
import { ContainerBackend, composeBackends, MachineDoors, openLocalBackend } from '../backends/index.ts'
import { createBuilder } from '../builder/index.ts'
import { findContract } from '../contracts/index.ts'
import { createControl, createDialectRecords } from '../control/index.ts'
import { FunctionTable, systemClock } from '../core/index.ts'
import { functionTokens, type HeldProjects, SERVICES } from '../identity/index.ts'
import type { CatalogueService } from '../identity-api/index.ts'
import { createInvoker } from '../invoker/index.ts'
import { createPool } from '../pool/index.ts'
import { createRouter } from '../router/index.ts'
import { openEventStore, openStore } from '../store/index.ts'
import { createMetrics, createTelemetry, readAllNodes } from '../telemetry/index.ts'
import { createTopics, messageOfEvent } from '../topics/index.ts'
import { createTriggers, Kinds, kindLoaders, storedRequests, storedStates } from '../triggers/index.ts'
import { addressPoliciesOf } from './addresses.ts'
import { banner } from './banner.ts'
import { Certificate } from './certificate.ts'
import type { ServerConfig } from './config.ts'
import { databasesOf } from './databases.ts'
import { readDialects, startDialects } from './dialects.ts'
import { Doors, type Inherited } from './doors.ts'
import { openHome, updateAdminFile } from './home.ts'
import { openIdentity } from './identity.ts'
import { openLanguages } from './languages.ts'
import { listening } from './listen.ts'
import type { ServerLog } from './log.ts'
import { describeParts, observe } from './metrics.ts'
import { nodeUrlOf, openMembership } from './nodes.ts'
import { trimWhenIdle } from './trim.ts'
import { packageVersion } from './version.ts'

const KIB = 1024
const MIB = 1024 * 1024
const DAY_MS = 86_400_000
const COLLECT_EVERY_MS = 3_600_000
const SHARE_AFTER_MS = 5_000

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
  const startedAt = Date.now()
  const clock = systemClock
  const version = packageVersion()
  const addresses = addressPoliciesOf(config)
  const wantedDialects = readDialects(config.dialects)
  const certificate = await Certificate.open(config)
  const home = openHome(config.home)
  const databases = databasesOf(config, home)
  const notReady = new Set(['The server is starting.'])

  // The control plane's memory.
  const store = opened.adopt(await openStore({ url: databases.control }), each => each.close())
  const { secretsKey, nodes } = opened.adopt(
    await openMembership({ store, home, clock, version, log }),
    each => each.close(),
  )
  const projects: HeldProjects = {
    find: reference => control.findProject(reference),
    adopt: project => control.adoptProject(project),
  }
  const onForgotten = (): void => nodes?.tellRights()
  const { provider: identity, embedded } = opened.adopt(
    await openIdentity(config, { store, clock, home, projects, onForgotten, log }),
    each => each.close(),
  )
  const telemetry = opened.adopt(
    createTelemetry({
      path: home.telemetryPath,
      earlierPath: home.earlierTelemetryPath,
      clock,
      retention: { ageMs: config['record-days'] * DAY_MS, bytesMax: config['record-mib-max'] * MIB },
      onProblem: (message, cause) => log.error({ cause }, message),
    }),
    each => each.close(),
  )
  const records = nodes ? readAllNodes(telemetry, nodes.peers, clock) : telemetry
  const metrics = createMetrics()

  // The event plane's memory.
  const events = opened.adopt(await openEventStore({ url: databases.events }), each => each.close())

  // What runs code: sandboxes, languages, and how to make a package runnable.
  const containers = new ContainerBackend({
    runPath: home.runPath,
    engine: config['container-engine'],
    runtime: config['container-runtime'],
    doors: new MachineDoors(),
    registries: addresses.registries,
  })
  const local = await openLocalBackend({
    runPath: home.runPath,
    bundlesPath: home.bundlesPath,
    isolation: config.isolation,
    clock,
  })
  const backend = opened.adopt(
    composeBackends(local, containers, (message, cause) => log.warn({ err: cause }, message)),
    each => each.close(),
  )
  const swept = await backend.sweep()
  if (swept > 0) log.info({ swept }, 'removed what an earlier server left behind')
  const languages = await openLanguages(config.languages)
  const builder = opened.adopt(
    await createBuilder({
      path: home.packagesPath,
      backend,
      environments: new Map(languages.all.map(each => [each.name, each])),
      clock,
      packageLimits: { archiveBytesMax: config['package-mib-max'] * MIB },
      ...(nodes && { shelf: nodes.shelf }),
      log: message => log.warn({}, message),
    }),
    each => each.close(),
  )

  // The two planes meet in the table.
  const table = new FunctionTable()
  let routerUrl = config['router-url']
  const memoryMiBMax = config['memory-mib-max']
  const requests = opened.adopt(
    storedRequests({
      store: events,
      clock,
      onProblem: (message, cause) => log.error({ err: cause }, message),
    }),
    each => each.close(),
  )
  const topics = opened.adopt(
    createTopics({
      store: events,
      clock,
      onProblem: (message, cause) => log.error({ err: cause }, message),
    }),
    each => each.close(),
  )
  const kinds = new Kinds(kindLoaders({ topics, addresses: addresses.sources, requests }))
  const control = await createControl({
    store,
    builder,
    table,
    clock,
    secretsKey,
    environments: languages.all,
    images: containers,
    standIns: config['image-stand-ins'],
    triggers: kinds,
    routerUrl: () => routerUrl,
    versionsKept: config['versions-kept'],
    networkAvailable: backend.capabilities().network.includes('outbound'),
    isolation: {
      check: async tier => {
        if (tier === 'gvisor') await local.check?.({ isolation: tier })
      },
      images: config['container-runtime'] === 'runsc' ? 'gvisor' : 'process',
    },
    memoryMiBMax,
    identity,
    ...(nodes && { nodes }),
  })
  await control.loadTable()
  topics.follow(table)

  // The data plane.
  const pool = opened.adopt(
    createPool({
      backend,
      contracts: findContract,
      environments: languages.ready,
      bundles: { locate: digest => builder.locate(digest) },
      secrets: control.secrets,
      table,
      clock,
      onLog: line => telemetry.onLog(line),
      onTrouble: (message, cause) => log.error({ err: cause }, message),
      limits: { instancesMax: config['instances-max'], memoryMiBMax },
      policy: { warmPerEnvironment: config['warm-instances'] },
    }),
    each => each.close(0),
  )
  const processors = availableParallelism()
  let apiUrl = '' // known when the API listens
  const { lending } = identity
  const ownAuthUrl = (): string => `${apiUrl}/identity/v3`
  const tokens = lending && functionTokens({ lending, clock, ownAuthUrl })
  const invoker = createInvoker({
    table,
    pool,
    tokens,
    observer: observe(telemetry, metrics),
    clock,
    processors,
  })
  const asyncCalls = opened.adopt(
    await createAsyncCalls({
      store: events,
      invoker,
      table,
      clock,
      limits: { bytesMax: config['queue-mib-max'] * MIB },
      onProblem: (message, cause) => log.error({ err: cause }, message),
      publish: async (projectId, topic, event) => {
        await topics.publish(projectId, topic, [messageOfEvent(event)])
      },
      deliverWebhook: createWebhooks(addresses.webhooks),
    }),
    each => each.close(),
  )
  const triggers = opened.adopt(
    createTriggers({
      table,
      kinds,
      async: asyncCalls,
      invoker,
      states: storedStates(events, clock),
      requests,
      clock,
      ...(nodes && { isLeader: () => nodes.isLeader }),
      onProblem: (message, cause) => log.error({ err: cause }, message),
    }),
    each => each.close(),
  )
  nodes?.follow({
    async onNews(news) {
      if (news.missed || news.notes.some(note => note.rights)) embedded?.forgetAll()
      await control.refresh(news)
    },
    onLead: () => {
      triggers.lead().catch((error: unknown) => log.error({ err: error }, 'triggers could not be taken over'))
    },
  })
  const asyncUrl = (id: string): string => `${apiUrl}/v1/async-invocations/${id}`
  const router = opened.adopt(
    createRouter({
      table,
      invoker,
      async: asyncCalls,
      asyncUrl,
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

  describeParts(metrics, { pool, router, invoker, telemetry, asyncCalls })

  // The doors.
  const status = (): ServerStatus => ({
    version,
    startedAt,
    roles: ['control', 'data', 'event'],
    isolation: {
      backend: backend.name,
      tier: backend.capabilities().tier,
      notes: backend.capabilities().notes,
    },
    dataPath: home.path,
    routerUrl,
    notReady: [...notReady],
  })
  const services: CatalogueService[] = [
    { type: SERVICES.api, name: 'atelier', url: base => `${base}/v1` },
    { type: SERVICES.router, name: 'atelier-router', url: () => routerUrl },
  ]
  const api = opened.adopt(
    await createApi({
      control,
      identity,
      ...(embedded && {
        sessions: embedded,
        users: embedded,
        identityApi: {
          identity: embedded,
          projects: control,
          services,
          trustForwarded: config['trust-forwarded'],
          log,
        },
      }),
      telemetry: records,
      ...(nodes && { nodes, telemetryHere: telemetry }),
      pool,
      invoker,
      async: asyncCalls,
      asyncUrl,
      table,
      environments: languages.all,
      triggers,
      triggerKinds: kinds,
      topics,
      store,
      callsInUse: projectId => {
        const { inHand, lastMinute } = invoker.usage(projectId)
        const { queued, bytes } = asyncCalls.usage(projectId)
        return { concurrency: inHand, callsPerMinute: lastMinute, queuedCalls: queued, queuedBytes: bytes }
      },
      status,
      metrics,
      log,
      clock,
      limits: { packageBytesMax: config['package-mib-max'] * MIB },
      encryption: certificate?.pair,
    }),
    each => each.close(),
  )
  let apiRequests = 0
  api.server.on('request', () => apiRequests++)
  const { host } = config
  const urlOf = (port: number): string => addressOf(certificate ? 'https' : 'http', host, port)
  const doors = new Doors(inherited)
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
  if (routerUrl === '') routerUrl = urlOf(routerPort)
  const apiPort = await doors.open({
    name: 'api',
    setting: 'port',
    port: config.port,
    host,
    open: at => listening(api, at),
  })
  const ownUrl = urlOf(apiPort)
  apiUrl = config['api-url'].replace(/\/+$/, '') || ownUrl

  const dialects = opened.adopt(
    await startDialects(wantedDialects, host, doors, {
      control,
      invoker,
      async: asyncCalls,
      telemetry: records,
      identity,
      table,
      records: createDialectRecords(store, clock),
      secrets: control.secrets,
      images: containers,
      pool,
      settings: {
        openProject: config['dialect-project'],
        ironfunctions: { jwtKey: config['ironfunctions-jwt-key'] },
        picasso: { functionsUrl: config['picasso-functions-url'] },
        qinling: {
          endpoint: config['qinling-endpoint'],
          swiftUrl: config['qinling-swift-url'],
          executionDays: config['qinling-execution-days'],
        },
      },
      clock,
      log,
      encryption: certificate?.pair,
    }),
    async all => void (await Promise.all(all.map(each => each.close()))),
  )

  const endpoints: Readonly<Record<string, string>> = { qinling: config['qinling-endpoint'] }
  for (const { name, service, port } of dialects)
    if (service) services.push({ ...service, url: base => endpoints[name] || atPort(base, port) })

  doors.closeUnused()

  await nodes?.join(config['node-url'] || nodeUrlOf(certificate ? 'https' : 'http', host, apiPort))
  await triggers.start()
  // A command on this machine needs no detour, unless the certificate is for the name that the outside knows.
  updateAdminFile(home, { url: certificate ? apiUrl : ownUrl, routerUrl })
  const collect = (): void => {
    control.collect().catch((error: unknown) => log.error({ err: error }, 'packages could not be tidied up'))
  }
  const collecting = setInterval(collect, COLLECT_EVERY_MS)
  collecting.unref()
  opened.defer(() => clearInterval(collecting))
  // The others may need what this one has: it may have been alone before.
  if (nodes) opened.defer(clock.after(SHARE_AFTER_MS, collect))
  opened.defer(
    trimWhenIdle(() => ({
      atMs: clock.now(),
      requests: router.counters.requests + apiRequests,
      running: invoker.inHand,
    })),
  )
  notReady.clear()

  const resources = opened.move()
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    notReady.add('The server is stopping.')
    doors.leave()
    await triggers.close()
    await nodes?.resign()
    const graceMs = config['drain-ms']
    await Promise.all([router.drain(graceMs), asyncCalls.drain(graceMs)])
    // Before the pool, which what still comes in by these doors may want.
    const apisClosed = Promise.all([api.close(), ...dialects.map(each => each.close())])
    const patience = Promise.withResolvers<void>()
    const cancelPatience = clock.after(graceMs, patience.resolve)
    await Promise.race([apisClosed, patience.promise]).finally(cancelPatience)
    await pool.close(graceMs)
    await resources.disposeAsync()
  }
  return {
    apiUrl,
    routerUrl,
    banner: banner({
      version,
      apiUrl,
      routerUrl,
      home: home.path,
      adminPath: home.adminPath,
      backend: backend.name,
      capabilities: backend.capabilities(),
      environments: languages.shown,
      dialects: dialects.map(({ name, port }) => ({ name, url: urlOf(port) })),
      keystone: embedded ? undefined : config['keystone-endpoint'],
    }),
    dialects: new Map(dialects.map(({ name, port }) => [name, urlOf(port)])),
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

/** The same host as it was asked by, at another port. */
function atPort(base: string, port: number): string {
  return Object.assign(new URL(base), { port: String(port), pathname: '/' }).href.replace(/\/$/, '')
}

function addressOf(scheme: 'http' | 'https', host: string, port: number): string {
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `${scheme}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}
