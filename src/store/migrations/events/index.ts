import type { EventTables } from '../../event-tables.ts'
import type { Layout } from '../migration.ts'
import { asyncCalls } from './0001-async.ts'
import { triggerStates } from './0002-trigger-states.ts'
import { hookRequests } from './0003-hook-requests.ts'
import { topics } from './0004-topics.ts'
import { foreignIds } from './0005-foreign-ids.ts'

/** The tables of the event plane. */
export const EVENT_LAYOUT: Layout<EventTables> = {
  notes: 'event_migrations',
  steps: [asyncCalls, triggerStates, hookRequests, topics, foreignIds],
}
