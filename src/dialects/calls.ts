import type { ExchangeReceiver, RequestHead, ThinExchange } from '../router/index.ts'

/** Longer ones are taken by the framework: until they are there, nobody else has the memory. */
const BODY_BYTES_MAX = 16_384
const TARGET_LENGTH_MAX = 512

/**
 * Reads the head of a request that may be a plain call of a function, the thing that is asked a thousand times as often as all else.
 * `undefined` leaves it to the framework, which answers the same to the same: there must be a route for it there, too.
 */
export type CallReader = (head: RequestHead & Pick<ThinExchange, 'bodyLength'>) => ReadCall | undefined

/** Makes the call and resolves with what is answered. Never rejects. `signal`: the client has left. */
export type ReadCall = (body: Buffer, signal: AbortSignal) => Promise<CallAnswer>

export interface CallAnswer {
  readonly status: number
  /** Name, value, …; lower-case names, without framing. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** Whether a request is small and simple enough. */
export function isPlain({ target, bodyLength }: Parameters<CallReader>[0]): boolean {
  return target.length <= TARGET_LENGTH_MAX && bodyLength !== undefined && bodyLength <= BODY_BYTES_MAX
}

/** Values of those header fields by `names`, all in lower case. `undefined` when one was said twice: who reads what differs there. */
export function fieldsOf(
  rawHeaders: readonly string[],
  names: ReadonlySet<string>,
): Readonly<Record<string, string>> | undefined {
  const fields: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!names.has(name)) continue
    if (fields[name] !== undefined) return undefined
    fields[name] = rawHeaders[i + 1]!
  }
  return fields
}

/** One call that is answered without the framework. */
export class PlainCall implements ExchangeReceiver {
  readonly #exchange: ThinExchange
  readonly #call: ReadCall
  readonly #left = new AbortController()
  #body: Uint8Array[] = []

  constructor(exchange: ThinExchange, call: ReadCall) {
    this.#exchange = exchange
    this.#call = call
    exchange.receiver = this
  }

  start(): void {
    if (this.#exchange.bodyLength === 0) this.onBodyEnd()
    else this.#exchange.read()
  }

  onBody(chunk: Uint8Array): void {
    this.#body.push(chunk)
  }

  onBodyEnd(): void {
    const [first, ...others] = this.#body
    this.#body = []
    const body =
      first && others.length === 0 ? bufferOf(first) : Buffer.concat(first ? [first, ...others] : [])
    void this.#call(body, this.#left.signal).then(({ status, headers, body }) => {
      if (!this.#left.signal.aborted) this.#exchange.answer(status, [...headers], body.length, body)
    })
  }

  onWritable(): void {}

  onAbort(): void {
    this.#left.abort()
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
