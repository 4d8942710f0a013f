import { ACCEPTED_FIELDS, acceptedBody, readAsyncOptions } from '../async/index.ts'
import { parameterFields, type Reading } from './admit.ts'
import type { Plane } from './plane.ts'
import type { Resolved } from './resolve.ts'

/** What the client of an asynchronous call gets, once the call is durable. */
export interface Acceptance {
  readonly id: string
  readonly headers: string[]
  readonly body: Buffer
}

/** Leaves the call to the queue. Rejects with what the queue says, and INVALID_INPUT for options that cannot be. */
export async function defer(
  plane: Plane,
  resolved: Resolved,
  reading: Reading,
  body: Uint8Array | null,
): Promise<Acceptance> {
  const { head, target, spent, fields } = reading
  const options = readAsyncOptions(
    name => (name === 'idempotency-key' ? fields.idempotencyKey : fields.asyncOptions?.get(name)),
    plane.clock.now(),
  )
  // The preference is fulfilled, and not for the function.
  const fieldsSeen = fields.complete(head, target.host, plane.trustForwarded, spent)
  const headers = [
    ...fieldsSeen.filter((_, i) => fieldsSeen[i & ~1] !== 'prefer'),
    ...parameterFields(resolved),
  ]
  const [accepted] = await plane.async.accept([
    {
      projectId: resolved.function.projectId,
      functionId: resolved.function.id,
      qualifier: resolved.qualifier,
      trigger: 'http',
      triggerName: resolved.trigger?.name,
      method: head.method,
      path: resolved.path + target.query,
      headers,
      body,
      traceparent: fields.traceparent,
      ...options,
    },
  ])
  const url = plane.asyncUrl(accepted!.id)
  return {
    id: accepted!.id,
    headers: [...ACCEPTED_FIELDS, 'location', url],
    body: Buffer.from(JSON.stringify(acceptedBody(accepted!, url))),
  }
}
