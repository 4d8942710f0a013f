import { AtelierError, type Clock } from '../core/index.ts'
import type { Lease } from '../pool/index.ts'

/** The code threw. Its words and its stack are in the log, not in the answer: they are its owner's. */
export function failed(name: string, id: string): AtelierError {
  return new AtelierError(
    'FUNCTION_FAILED',
    `Function "${name}" failed; the log of invocation ${id} tells why.`,
  )
}

export function badAnswer(name: string, problem: string): AtelierError {
  return new AtelierError(
    'FUNCTION_BAD_ANSWER',
    `Function "${name}" gave an answer that cannot be sent: ${problem}.`,
  )
}

export function deadlinePassed(name: string, timeoutMs: number): AtelierError {
  return new AtelierError('FUNCTION_TIMEOUT', `Function "${name}" did not answer within ${timeoutMs} ms.`)
}

export function socketIdle(name: string, idleMs: number): AtelierError {
  return new AtelierError(
    'FUNCTION_TIMEOUT',
    `The WebSocket to function "${name}" was silent for ${idleMs} ms.`,
  )
}

/** A caller that goes on sending though it was asked to wait. */
export function bodyTooFast(): AtelierError {
  return new AtelierError('BODY_TOO_LARGE', 'The body came faster than it could be held back.')
}

/** Each slot that was given belonged to an instance that had just ended. */
export function neverStays(name: string): AtelierError {
  return new AtelierError('UNAVAILABLE', `Instances of function "${name}" end as soon as they start.`, {
    retryAfterS: 1,
  })
}

/** The function asked for a token, and nobody here makes any. */
export function noTokens(name: string): AtelierError {
  return new AtelierError(
    'UNAVAILABLE',
    `Function "${name}" wants a token (tokenRoles), and this server has no user at Keystone that roles are lent to.`,
  )
}

/** Why the stream to the code broke in the middle of a call: its sandbox's exit tells, a moment later. */
export async function whyClosed(
  name: string,
  lease: Lease,
  memoryMiB: number,
  { clock, exitReasonMs }: { readonly clock: Clock; readonly exitReasonMs: number },
): Promise<AtelierError> {
  if (lease.endedBecause !== undefined)
    return new AtelierError(
      'UNAVAILABLE',
      `The instance was ended while the call ran: ${lease.endedBecause}.`,
      {
        retryAfterS: 1,
      },
    )
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const cancel = clock.after(exitReasonMs, () => resolve(undefined))
  const exit = await Promise.race([lease.sandbox.exited, late])
  cancel()
  if (exit?.error !== undefined) return exit.error
  if (exit?.reason === 'memory')
    return new AtelierError(
      'FUNCTION_OUT_OF_MEMORY',
      `Function "${name}" used more than its ${memoryMiB} MiB; raise limits.memoryMiB.`,
    )
  const how =
    exit?.signal === undefined
      ? exit?.code === undefined
        ? undefined
        : `exit code ${exit.code}`
      : `signal ${exit.signal}`
  return new AtelierError(
    'FUNCTION_CRASHED',
    `Function "${name}" ended without an answer${how === undefined ? '' : ` (${how})`}.`,
  )
}
