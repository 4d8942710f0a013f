import type { FastifyInstance } from 'fastify'
import { type CallsInUse, createApi, type ServerStatus } from '../api/index.ts'
import type { CatalogueService } from '../identity-api/index.ts'
import type { Parts } from './parts.ts'
import type { Site } from './site.ts'

const MIB = 1024 * 1024

/** The API, not yet listening. `services`, `notReady`: read when somebody asks, so they may change. */
export async function openApi(
  site: Site,
  parts: Parts,
  {
    services,
    notReady,
  }: { readonly services: readonly CatalogueService[]; readonly notReady: ReadonlySet<string> },
): Promise<FastifyInstance> {
  const { config, log, clock, urls, certificate, opened } = site
  const { identity, embedded, telemetry, records, nodes, control, invoker, asyncCalls } = parts
  const api = await createApi({
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
    pool: parts.pool,
    invoker,
    async: asyncCalls,
    asyncUrl: id => urls.asyncCall(id),
    table: parts.table,
    environments: parts.languages.all,
    triggers: parts.triggers,
    triggerKinds: parts.kinds,
    topics: parts.topics,
    store: parts.store,
    callsInUse: projectId => callsInUse(projectId, parts),
    status: statusOf(site, parts, notReady),
    metrics: parts.metrics,
    log,
    clock,
    limits: { packageBytesMax: config['package-mib-max'] * MIB },
    encryption: certificate?.pair,
  })
  return opened.adopt(api, each => each.close())
}

function callsInUse(projectId: string, { invoker, asyncCalls }: Parts): CallsInUse {
  const { inHand, lastMinute } = invoker.usage(projectId)
  const { queued, bytes } = asyncCalls.usage(projectId)
  return { concurrency: inHand, callsPerMinute: lastMinute, queuedCalls: queued, queuedBytes: bytes }
}

function statusOf(
  { version, startedAt, home, urls }: Site,
  { backend }: Parts,
  notReady: ReadonlySet<string>,
): () => ServerStatus {
  return () => {
    const { tier, notes } = backend.capabilities()
    return {
      version,
      startedAt,
      roles: ['control', 'data', 'event'],
      isolation: { backend: backend.name, tier, notes },
      dataPath: home.path,
      routerUrl: urls.router,
      notReady: [...notReady],
    }
  }
}
