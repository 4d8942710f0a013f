/** The JSON payloads that come from an instance, read with suspicion. Pure. */

const PROTOCOL = 1
const MESSAGE_CHARACTERS_MAX = 4_000
const STACK_CHARACTERS_MAX = 32_000

/** Says what is wrong with a HELLO, if something is. */
export function readHello(payload: Buffer): string | undefined {
  const hello = parseObject(payload)
  if (hello === undefined) return 'a HELLO that cannot be read'
  if (hello['protocol'] !== PROTOCOL) return `a HELLO of another protocol than ${PROTOCOL}`
}

/** Microseconds that loading took, or `undefined` when the payload is not a LOADED. */
export function readInitUs(payload: Buffer): number | undefined {
  const initUs = parseObject(payload)?.['initUs']
  return typeof initUs === 'number' && initUs >= 0 ? initUs : undefined
}

/** The payload of FAIL and LOAD_FAILED, shortened to what is kept. An empty or odd one gives a general message. */
export function readFailure(payload: Buffer): { message: string; stack: string | undefined } {
  const failure = parseObject(payload)
  const message = failure?.['message']
  const stack = failure?.['stack']
  return {
    message:
      typeof message === 'string' && message !== ''
        ? message.slice(0, MESSAGE_CHARACTERS_MAX)
        : 'The function failed without a message.',
    stack: typeof stack === 'string' && stack !== '' ? stack.slice(0, STACK_CHARACTERS_MAX) : undefined,
  }
}

function parseObject(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
