import type { AsyncTables } from './tables/async.ts'
import type { HookRequestTables } from './tables/hook-requests.ts'
import type { TopicTables } from './tables/topics.ts'
import type { TriggerStateTables } from './tables/trigger-states.ts'

/** Every table of the event plane by name; each subject describes its own in a file under `tables/`. */
export interface EventTables extends AsyncTables, TriggerStateTables, HookRequestTables, TopicTables {}
