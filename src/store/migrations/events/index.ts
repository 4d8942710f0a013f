import type { EventTables } from '../../event-tables.ts'
import type { Layout } from '../index.ts'
import { asyncCalls } from './0001-async.ts'

/** The tables of the event plane. */
export const EVENT_LAYOUT: Layout<EventTables> = { notes: 'event_migrations', steps: [asyncCalls] }
