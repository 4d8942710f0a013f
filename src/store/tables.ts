import type { ControlTables } from './tables/control.ts'
import type { DialectTables } from './tables/dialects.ts'
import type { IdempotencyTables } from './tables/idempotency.ts'
import type { IdentityTables } from './tables/identity.ts'
import type { NodeTables } from './tables/nodes.ts'

/** Every table by name; each subject describes its own in a file under `tables/`. */
export interface Tables extends IdentityTables, ControlTables, IdempotencyTables, DialectTables, NodeTables {}
