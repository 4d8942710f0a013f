import type { CallHead } from '../contracts/index.ts'
import type { TableVersion } from '../core/index.ts'
import { withAttempt } from './attempt.ts'
import type { InvokeRequest } from './call.ts'
import type { CallNotes } from './record.ts'
import { withToken } from './token.ts'
import { continueTrace, withTrace } from './trace.ts'

/** What the code gets of a call that is sent at `ran` (monotonic ms); its trace is noted. */
export function headOf(
  request: InvokeRequest,
  notes: CallNotes,
  { limits }: TableVersion,
  sent: {
    readonly token: readonly string[] | undefined
    readonly body: CallHead['body']
    readonly ran: number
  },
): CallHead {
  notes.traceparent = continueTrace(request.traceparent)
  const traced = withTrace(request.headers, notes.traceparent)
  return {
    id: notes.id,
    method: request.method,
    target: request.path,
    headers: withToken(withAttempt(traced, request.attempt), sent.token),
    block: request.block,
    deadline: Math.ceil(notes.startedAt + (sent.ran - notes.asked) + limits.timeoutMs),
    body: sent.body,
    webSocket: request.webSocket === true,
  }
}
