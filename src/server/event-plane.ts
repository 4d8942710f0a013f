import { type AsyncCalls, createAsyncCalls, createWebhooks } from '../async/index.ts'
import type { FunctionTable } from '../core/index.ts'
import { createTopics, messageOfEvent, type StoredTopics } from '../topics/index.ts'
import {
  createTriggers,
  Kinds,
  kindLoaders,
  type StoredRequests,
  storedRequests,
  storedStates,
  type Triggers,
} from '../triggers/index.ts'
import type { DataPlane } from './data-plane.ts'
import type { Foundation } from './foundation.ts'
import type { Site } from './site.ts'

const MIB = 1024 * 1024

/** Where events come from. The control plane asks for the kinds, so these are there before it. */
export interface EventSources {
  readonly topics: StoredTopics
  /** What came to secret URLs of triggers. */
  readonly requests: StoredRequests
  readonly kinds: Kinds
}

export function openEventSources(site: Site, { events: store }: Pick<Foundation, 'events'>): EventSources {
  const { clock, addresses, opened, onProblem } = site
  const requests = opened.adopt(storedRequests({ store, clock, onProblem }), each => each.close())
  const topics = opened.adopt(createTopics({ store, clock, onProblem }), each => each.close())
  const kinds = new Kinds(kindLoaders({ topics, addresses: addresses.sources, requests }))
  return { topics, requests, kinds }
}

/** Calls that outlive their caller, and events that become calls. */
export interface EventPlane {
  readonly asyncCalls: AsyncCalls
  /** Not started yet. */
  readonly triggers: Triggers
}

export async function openEventPlane(
  site: Site,
  parts: Pick<Foundation, 'events' | 'nodes'> &
    EventSources &
    Pick<DataPlane, 'invoker'> & { readonly table: FunctionTable },
): Promise<EventPlane> {
  const { config, clock, addresses, opened, onProblem } = site
  const { events: store, nodes, topics, requests, kinds, table, invoker } = parts
  topics.follow(table)
  const asyncCalls = opened.adopt(
    await createAsyncCalls({
      store,
      invoker,
      table,
      clock,
      limits: { bytesMax: config['queue-mib-max'] * MIB },
      onProblem,
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
      states: storedStates(store, clock),
      requests,
      clock,
      ...(nodes && { isLeader: () => nodes.isLeader }),
      onProblem,
    }),
    each => each.close(),
  )
  return { asyncCalls, triggers }
}
