import { AtelierError, newId, type TableFunction } from '../../src/core/index.ts'
import type { InvokeHandle, InvokeRequest, Invoker, InvokeSink } from '../../src/invoker/index.ts'

/**
 * An Invoker whose functions are handlers in this process: the same promises as the one with instances (nothing said
 * before `invoke` returns, windows both ways, cancellation), without the instances.
 */
export class HandlerInvoker implements Invoker {
  /** Every call so far, oldest first. */
  readonly calls: HandlerCall[] = []
  readonly #handlers: ReadonlyMap<string, Handler>

  constructor(handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = new Map(Object.entries(handlers))
  }

  invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle {
    const call = new HandlerCall(request, sink)
    this.calls.push(call)
    const handler = this.#handlers.get(request.target.name)
    queueMicrotask(() => {
      if (!handler || !isKnown(request.target, request.qualifier))
        call.fail(new AtelierError('NOT_FOUND', `There is no version ${request.qualifier}.`))
      else if (call.signal.aborted) return
      else
        Promise.resolve()
          .then(() => handler(call))
          .catch((error: unknown) =>
            call.fail(
              error instanceof AtelierError
                ? error
                : new AtelierError('FUNCTION_FAILED', 'The function failed.'),
            ),
          )
    })
    return call.handle
  }

  get last(): HandlerCall {
    return this.calls.at(-1)!
  }
}

export type Handler = (call: HandlerCall) => unknown

export const WINDOW_BYTES = 262_144

/** What a handler sees of its call. */
export class HandlerCall {
  readonly id = newId(Date.now())
  readonly request: InvokeRequest
  /** Name, value, …: all that the function sees. */
  readonly headers: readonly string[]
  readonly messages: { data: string; text: boolean }[] = []
  /** Close payload of the client's WebSocket, once it closed. */
  closed: Uint8Array | undefined
  isOver = false
  /** Bytes sent that the client's side has not reported as passed on. */
  unconsumed = 0
  unconsumedMax = 0
  /** Bytes of the request that wait for `body`. */
  buffered = 0
  bufferedMax = 0
  onMessage: ((data: Uint8Array, text: boolean) => void) | undefined
  readonly #sink: InvokeSink
  readonly #abort = new AbortController()
  readonly #chunks: Uint8Array[] = []
  #isRequestEnded: boolean
  #wake: (() => void) | undefined
  #hasCredit: (() => void) | undefined

  constructor(request: InvokeRequest, sink: InvokeSink) {
    this.request = request
    const ready = request.block?.text.split('\n').slice(1) ?? []
    const named = ready.map(line => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)])
    this.headers = [...named.flat(), ...request.headers]
    this.#sink = sink
    this.#isRequestEnded = request.body !== undefined
    if (request.body) this.#chunks.push(request.body)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  header(name: string): string | undefined {
    const { headers } = this
    const values = headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)
    return values.length > 0 ? values.join(' | ') : undefined
  }

  async *body(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk) {
        const wasFull = this.buffered >= WINDOW_BYTES
        this.buffered -= chunk.length
        if (wasFull && this.buffered < WINDOW_BYTES) this.#sink.onDrain?.()
        yield chunk
      } else if (this.#isRequestEnded) return
      else
        await new Promise<void>(resolve => {
          this.#wake = resolve
          this.signal.addEventListener('abort', () => resolve(), { once: true })
        })
      if (this.signal.aborted) return
    }
  }

  async text(): Promise<string> {
    const parts: Uint8Array[] = []
    for await (const part of this.body()) parts.push(part)
    return Buffer.concat(parts).toString()
  }

  respond(status: number, headers: readonly string[] = [], body = ''): void {
    this.head(status, headers)
    if (body !== '') this.#sink.onData(Buffer.from(body))
    this.end()
  }

  head(status: number, headers: readonly string[] = []): void {
    if (!this.signal.aborted) this.#sink.onHead(status, headers)
  }

  /** Resolves when the window has room again; rejects when the caller left. */
  async write(chunk: string | Uint8Array): Promise<void> {
    this.signal.throwIfAborted()
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.unconsumed += bytes.length
    this.unconsumedMax = Math.max(this.unconsumedMax, this.unconsumed)
    this.#sink.onData(bytes)
    while (this.unconsumed >= WINDOW_BYTES) {
      await new Promise<void>((resolve, reject) => {
        this.#hasCredit = resolve
        this.signal.addEventListener('abort', () => reject(new Error('the caller left')), { once: true })
      })
    }
  }

  send(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    this.unconsumed += bytes.length
    this.unconsumedMax = Math.max(this.unconsumedMax, this.unconsumed)
    this.#sink.onMessage?.(bytes, typeof data === 'string')
  }

  end(close?: Uint8Array): void {
    if (this.isOver) return
    this.isOver = true
    if (!this.signal.aborted) this.#sink.onEnd(close)
  }

  fail(error: AtelierError): void {
    if (this.isOver) return
    this.isOver = true
    if (!this.signal.aborted) this.#sink.onFail(error)
  }

  readonly handle: InvokeHandle = {
    id: this.id,
    version: 1,
    write: chunk => {
      this.#chunks.push(chunk)
      this.buffered += chunk.length
      this.bufferedMax = Math.max(this.bufferedMax, this.buffered)
      this.#wake?.()
      return this.buffered < WINDOW_BYTES
    },
    writeMessage: (data, text) => {
      this.messages.push({ data: Buffer.from(data).toString(), text })
      this.onMessage?.(data, text)
      return true
    },
    end: close => {
      this.#isRequestEnded = true
      this.closed = close
      this.#wake?.()
    },
    consumed: bytes => {
      this.unconsumed -= bytes
      if (this.unconsumed < WINDOW_BYTES) this.#hasCredit?.()
    },
    cancel: () => this.#abort.abort(),
  }
}

function isKnown(target: TableFunction, qualifier: string | undefined): boolean {
  return qualifier === undefined || target.aliases.has(qualifier) || target.versions.has(Number(qualifier))
}
