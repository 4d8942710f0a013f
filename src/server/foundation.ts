import type { SecretKeys } from '../control/index.ts'
import type { EmbeddedIdentity, HeldProjects, IdentityProvider } from '../identity/index.ts'
import type { Nodes } from '../nodes/index.ts'
import { type EventStore, openEventStore, openStore, type Store } from '../store/index.ts'
import {
  createTelemetry,
  type RunningTelemetry,
  readAllNodes,
  type TelemetryReader,
} from '../telemetry/index.ts'
import { databasesOf } from './databases.ts'
import { openIdentity } from './identity.ts'
import { openMembership } from './nodes.ts'
import type { Site } from './site.ts'

const DAY_MS = 86_400_000
const MIB = 1024 * 1024

/** What all planes stand on: what is kept, which other servers keep it too, and who calls. */
export interface Foundation {
  /** The control plane's tables. */
  readonly store: Store
  /** The event plane's. */
  readonly events: EventStore
  readonly secretsKey: SecretKeys
  /** The servers on the same database; absent where that is one server's alone. */
  readonly nodes: Nodes | undefined
  readonly identity: IdentityProvider
  /** The identity, when it is our own. */
  readonly embedded: EmbeddedIdentity | undefined
  /** Of this server alone. */
  readonly telemetry: RunningTelemetry
  /** Of all nodes. */
  readonly records: TelemetryReader
}

/** `projects`: asked only when somebody calls. Rejects with UNAVAILABLE where a database or the data directory cannot be had. */
export async function openFoundation(site: Site, projects: HeldProjects): Promise<Foundation> {
  const { config, log, clock, home, opened } = site
  const databases = databasesOf(config, home)
  const store = opened.adopt(await openStore({ url: databases.control }), each => each.close())
  const { secretsKey, nodes } = opened.adopt(await openMembership(site, store), each => each.close())
  const onForgotten = (): void => nodes?.tellRights()
  const { provider: identity, embedded } = opened.adopt(
    await openIdentity(site, { store, projects, onForgotten }),
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
  const events = opened.adopt(await openEventStore({ url: databases.events }), each => each.close())
  return { store, events, secretsKey, nodes, identity, embedded, telemetry, records }
}
