import type { Tables } from '../tables.ts'
import { identity } from './0001-identity.ts'
import { control } from './0002-control.ts'
import { idempotency } from './0003-idempotency.ts'
import { asyncSettings } from './0004-async-settings.ts'
import { eventTriggers } from './0005-event-triggers.ts'
import { dialectRecords } from './0006-dialect-records.ts'
import { isolation } from './0007-isolation.ts'
import { delegation } from './0008-delegation.ts'
import { bundles } from './0009-bundles.ts'
import { foreignIds } from './0010-foreign-ids.ts'
import { nodes } from './0011-nodes.ts'
import { functionTrusts } from './0012-function-trusts.ts'
import type { Layout } from './migration.ts'

/** The control plane's tables, by the steps that make them. */
export const CONTROL_LAYOUT: Layout<Tables> = {
  notes: 'migrations',
  steps: [
    identity,
    control,
    idempotency,
    asyncSettings,
    eventTriggers,
    dialectRecords,
    isolation,
    delegation,
    bundles,
    foreignIds,
    nodes,
    functionTrusts,
  ],
}
