import type { ControlPlane } from '../control/index.ts'
import type { FunctionTable } from '../core/index.ts'
import type { DataPlane } from './data-plane.ts'
import type { EventPlane, EventSources } from './event-plane.ts'
import type { Foundation } from './foundation.ts'
import type { Sandboxes } from './sandboxes.ts'

/** All that stands behind the doors. */
export interface Parts extends Foundation, Sandboxes, EventSources, DataPlane, EventPlane {
  /** Where the planes meet: the control plane writes what calls are decided by. */
  readonly table: FunctionTable
  readonly control: ControlPlane
}
