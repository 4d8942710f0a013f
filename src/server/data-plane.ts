import { availableParallelism } from 'node:os'
import { findContract } from '../contracts/index.ts'
import type { ControlPlane } from '../control/index.ts'
import type { FunctionTable } from '../core/index.ts'
import { functionTokens } from '../identity/index.ts'
import { createInvoker, type RunningInvoker } from '../invoker/index.ts'
import { createPool, type Pool } from '../pool/index.ts'
import { createMetrics, type Metrics } from '../telemetry/index.ts'
import type { Foundation } from './foundation.ts'
import { observe } from './metrics.ts'
import type { Sandboxes } from './sandboxes.ts'
import type { Site } from './site.ts'

/** What carries calls, from the table to instances. Its door is the router. */
export interface DataPlane {
  readonly pool: Pool
  readonly invoker: RunningInvoker
  readonly metrics: Metrics
}

export function openDataPlane(
  site: Site,
  parts: Pick<Foundation, 'identity' | 'telemetry'> &
    Sandboxes & { readonly table: FunctionTable; readonly control: ControlPlane },
): DataPlane {
  const { config, clock, urls, opened, onProblem } = site
  const { identity, telemetry, backend, languages, builder, table, control } = parts
  const pool = opened.adopt(
    createPool({
      backend,
      contracts: findContract,
      environments: languages.ready,
      bundles: { locate: digest => builder.locate(digest) },
      secrets: control.secrets,
      table,
      clock,
      onLog: line => telemetry.onLog(line),
      onTrouble: onProblem,
      limits: { instancesMax: config['instances-max'], memoryMiBMax: config['memory-mib-max'] },
      policy: { warmPerEnvironment: config['warm-instances'] },
    }),
    each => each.close(0),
  )
  const { lending } = identity
  const metrics = createMetrics()
  const invoker = createInvoker({
    table,
    pool,
    tokens: lending && functionTokens({ lending, clock, ownAuthUrl: () => `${urls.api}/identity/v3` }),
    observer: observe(telemetry, metrics),
    clock,
    processors: availableParallelism(),
  })
  return { pool, invoker, metrics }
}
