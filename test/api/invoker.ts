import { AtelierError, asAtelierError, newId } from '../../src/core/index.ts'
import type { InvokeHandle, InvokeRequest, Invoker, InvokeSink } from '../../src/invoker/index.ts'

/** What a function sees and does in a test. */
export interface FunctionCall {
  readonly request: InvokeRequest
  /** Pieces of the body as they come. */
  readonly body: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
  head(status: number, headers?: readonly string[]): void
  /** Resolves when the caller has taken it as far as the window allows. */
  send(chunk: Uint8Array): Promise<void>
}

const WINDOW_BYTES = 64 * 1024

/** Functions in this process, by name, behind the real interface: windows both ways, cancellation, errors. */
export class InProcessInvoker implements Invoker {
  readonly functions = new Map<string, (call: FunctionCall) => Promise<void>>()
  /** Handles of all calls, oldest first. */
  readonly calls: OneCall[] = []

  invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle {
    const call = new OneCall(request, sink)
    this.calls.push(call)
    const run = this.functions.get(request.target.name)
    queueMicrotask(() => {
      if (run) void call.run(run)
      else
        sink.onFail(new AtelierError('FUNCTION_LOAD_FAILED', `Function ${request.target.name} has no code.`))
    })
    return call
  }
}

class OneCall implements InvokeHandle {
  readonly id = newId(Date.now())
  readonly version = 1
  readonly cancelled = new AbortController()
  /** Bytes of the answer that were sent and not yet taken. */
  outstanding = 0
  outstandingMost = 0
  readonly #request: InvokeRequest
  readonly #sink: InvokeSink
  readonly #pieces: Uint8Array[] = []
  #waiting = 0
  #ended = false
  #wake: () => void = () => {}
  #credit: () => void = () => {}

  constructor(request: InvokeRequest, sink: InvokeSink) {
    this.#request = request
    this.#sink = sink
    this.#ended = request.body === null
  }

  async run(program: (call: FunctionCall) => Promise<void>): Promise<void> {
    try {
      await program({
        request: this.#request,
        body: this.#body(),
        signal: this.cancelled.signal,
        head: (status, headers = []) => this.#sink.onHead(status, headers),
        send: chunk => this.#send(chunk),
      })
      if (!this.cancelled.signal.aborted) this.#sink.onEnd()
    } catch (thrown) {
      if (!this.cancelled.signal.aborted) this.#sink.onFail(asAtelierError(thrown))
    }
  }

  write(chunk: Uint8Array): boolean {
    this.#pieces.push(Buffer.from(chunk))
    this.#waiting += chunk.length
    this.#wake()
    return this.#waiting < WINDOW_BYTES
  }

  writeMessage(): boolean {
    throw new Error('no WebSocket here')
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  consumed(bytes: number): void {
    this.outstanding -= bytes
    this.#credit()
  }

  cancel(): void {
    this.cancelled.abort()
    this.#wake()
    this.#credit()
  }

  async *#body(): AsyncIterable<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift()
      if (piece) {
        const full = this.#waiting >= WINDOW_BYTES
        this.#waiting -= piece.length
        if (full && this.#waiting < WINDOW_BYTES) this.#sink.onDrain?.()
        yield piece
      } else if (this.#ended || this.cancelled.signal.aborted) return
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  async #send(chunk: Uint8Array): Promise<void> {
    while (this.outstanding >= WINDOW_BYTES && !this.cancelled.signal.aborted)
      await new Promise<void>(resolve => (this.#credit = resolve))
    if (this.cancelled.signal.aborted) throw new Error('cancelled')
    this.outstanding += chunk.length
    this.outstandingMost = Math.max(this.outstandingMost, this.outstanding)
    this.#sink.onData(chunk)
  }
}
