import { AtelierError, type InputError } from '../core/index.ts'
import type { NewMessage } from './topics.ts'

/** Of one message: what fits into a call. */
const MESSAGE_BYTES_MAX = 6 * 1024 * 1024
/** Of one publication. */
const MESSAGES_MAX = 1_000
const ATTRIBUTES_MAX = 64
const ATTRIBUTES_BYTES_MAX = 16 * 1024
const NAME_MAX = 255
/** What a message takes in the store beside what it holds. */
const OVERHEAD_BYTES = 100

/** Bytes that a message counts for. */
export function sizeOf(message: NewMessage): number {
  let bytes = OVERHEAD_BYTES + message.data.length
  for (const [name, value] of Object.entries(message.attributes)) bytes += name.length + value.length
  return bytes
}

/** Throws INVALID_INPUT or BODY_TOO_LARGE that names the message and what is wrong with it. */
export function checkMessages(messages: readonly NewMessage[]): void {
  if (messages.length > MESSAGES_MAX)
    throw new AtelierError('BODY_TOO_LARGE', `At most ${MESSAGES_MAX} messages are published at once.`)
  const large = messages.findIndex(each => each.data.length > MESSAGE_BYTES_MAX)
  if (large >= 0)
    throw new AtelierError('BODY_TOO_LARGE', `Message ${large} has more than ${MESSAGE_BYTES_MAX} bytes.`)
  const errors = messages.flatMap((message, at) => [...problemsOf(message, `messages.${at}`)])
  const [first] = errors
  if (first) throw new AtelierError('INVALID_INPUT', `${first.pointer} ${first.detail}.`, { errors })
}

function* problemsOf({ id, key, contentType, attributes }: NewMessage, at: string): Iterable<InputError> {
  for (const [name, text] of [
    ['id', id],
    ['key', key],
    ['contentType', contentType],
  ] as const)
    if (text !== undefined && (text === '' || text.length > NAME_MAX || /[\p{Cc}]/u.test(text)))
      yield {
        pointer: `${at}.${name}`,
        detail: `must have 1 to ${NAME_MAX} characters, none of them a control character`,
      }
  const entries = Object.entries(attributes)
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (entries.length > ATTRIBUTES_MAX || bytes > ATTRIBUTES_BYTES_MAX)
    yield {
      pointer: `${at}.attributes`,
      detail: `must be at most ${ATTRIBUTES_MAX}, of ${ATTRIBUTES_BYTES_MAX} characters together`,
    }
}
