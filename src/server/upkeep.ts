import type { Server as HttpServer } from 'node:http'
import type { Router } from '../router/index.ts'
import type { RunningDialect } from './dialects.ts'
import type { Parts } from './parts.ts'
import type { Site } from './site.ts'
import { trimWhenIdle } from './trim.ts'

const COLLECT_EVERY_MS = 3_600_000
const SHARE_AFTER_MS = 5_000

/** What a server does now and then, unasked: it tidies up packages, and gives back memory. */
export function keepUp(
  { clock, opened, onProblem }: Site,
  { control, nodes, invoker }: Pick<Parts, 'control' | 'nodes' | 'invoker'>,
  doors: {
    readonly router: Pick<Router, 'counters'>
    readonly api: HttpServer
    readonly dialects: readonly RunningDialect[]
  },
): void {
  const collect = (): void => {
    control.collect().catch((error: unknown) => onProblem('packages could not be tidied up', error))
  }
  const collecting = setInterval(collect, COLLECT_EVERY_MS)
  collecting.unref()
  opened.defer(() => clearInterval(collecting))
  // The others may need what this one has: it may have been alone before.
  if (nodes) opened.defer(clock.after(SHARE_AFTER_MS, collect))
  let apiRequests = 0
  doors.api.on('request', () => apiRequests++)
  opened.defer(
    trimWhenIdle(() => ({
      atMs: clock.now(),
      requests: doors.dialects.reduce(
        (sum, { requests }) => sum + requests,
        doors.router.counters.requests + apiRequests,
      ),
      running: invoker.inHand,
    })),
  )
}
