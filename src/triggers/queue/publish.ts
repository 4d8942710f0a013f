import { AtelierError } from '../../core/index.ts'
import type { OutgoingMessage, Session } from './source.ts'

/** Resolves when the broker has them all, in this order. UNAVAILABLE, with the broker's reason, when it has not. */
export async function publishAll(
  session: Session | undefined,
  target: string,
  messages: readonly OutgoingMessage[],
): Promise<void> {
  try {
    if (!session) throw new AtelierError('UNAVAILABLE', 'There is no connection.')
    for (const message of messages) await session.publish(target, message)
  } catch (thrown) {
    const detail = thrown instanceof Error && thrown.name === 'SourceError' ? `: ${thrown.message}` : ''
    throw new AtelierError('UNAVAILABLE', `Nothing can be published to ${target} now${detail}.`, {
      cause: thrown,
    })
  }
}
