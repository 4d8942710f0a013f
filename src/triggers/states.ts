import type { Clock, TriggerStatus } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'

/** What is kept of a trigger beside its configuration. */
export interface KeptState extends Omit<TriggerStatus, 'state' | 'nextAt' | 'details'> {
  /** What its kind saved. */
  readonly value?: unknown
}

/** Where states are kept. */
export interface TriggerStates {
  /** All of them, by trigger. */
  load(): Promise<ReadonlyMap<string, KeptState>>
  /** In one transaction; `undefined` forgets. */
  write(states: ReadonlyMap<string, KeptState | undefined>): Promise<void>
}

/** States in the store of the event plane, a row for each trigger that has had any. */
export function storedStates(store: EventStore, clock: Clock): TriggerStates {
  return {
    async load() {
      const rows = await store.db.selectFrom('trigger_states').select(['trigger_id', 'state_json']).execute()
      return new Map(rows.map(row => [row.trigger_id, JSON.parse(row.state_json) as KeptState]))
    },

    async write(states) {
      const now = clock.now()
      const rows = [...states].flatMap(([id, state]) =>
        state ? { trigger_id: id, state_json: JSON.stringify(state), updated_at: now } : [],
      )
      // A position that is lost with the power makes duplicates, which the queue knows by their keys.
      await store.transaction(
        async tx => {
          await tx
            .deleteFrom('trigger_states')
            .where('trigger_id', 'in', [...states.keys()])
            .execute()
          if (rows.length > 0) await tx.insertInto('trigger_states').values(rows).execute()
        },
        { relaxed: true },
      )
    },
  }
}
