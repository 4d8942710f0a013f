import { after, before, describe } from 'node:test'
import type { EventStore } from '../../src/store/index.ts'
import { asyncEnds } from './async/ends.ts'
import { asyncLife } from './async/life.ts'
import { asyncNodes } from './async/nodes.ts'
import { asyncQueue } from './async/queue.ts'
import { asyncReserve } from './async/reserve.ts'

/** Tables of the queue, in an order in which they can be emptied. */
const TABLES = [
  'async_calls',
  'async_payloads',
  'async_results',
  'async_order',
  'async_keys',
  'async_nodes',
  'async_outbox',
] as const

export interface AsyncFixture {
  readonly store: EventStore
  dispose(): Promise<void>
}

/** The store that the tests of a suite share; each begins with empty tables. */
export type FreshStore = () => Promise<EventStore>

/** What the queue of asynchronous calls must do, whichever database stands behind it. */
export function asyncSuite(
  name: string,
  open: () => Promise<AsyncFixture>,
  options: { skip?: string | false } = {},
): void {
  describe(`asynchronous calls on ${name}`, { skip: options.skip ?? false }, () => {
    let fixture: AsyncFixture
    before(async () => {
      fixture = await open()
    })
    after(() => fixture.dispose())
    const fresh: FreshStore = async () => {
      for (const table of TABLES) await fixture.store.db.deleteFrom(table).execute()
      return fixture.store
    }
    asyncLife(fresh)
    asyncQueue(fresh)
    asyncEnds(fresh)
    asyncNodes(fresh)
    asyncReserve(fresh)
  })
}
