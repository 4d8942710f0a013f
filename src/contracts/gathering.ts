import type { CallHandle, CallHead, CallSink } from './contract.ts'

/** What a contract that does not stream holds of one body: as much as a call that is not streamed may have. */
export const GATHERED_BYTES_MAX = 6 * 1024 * 1024

/** A call whose body is complete before anything of it is sent. */
export class GatheringCall implements CallHandle {
  readonly number: number
  readonly #sink: CallSink
  readonly #begin: (body: Uint8Array) => void
  readonly #onCancel: (reason: 'client' | 'deadline' | 'shutdown') => void
  #parts: Uint8Array[] = []
  #bytes = 0
  #state: 'gathering' | 'begun' | 'over' = 'gathering'

  /**
   * @param begin called once, after this, with the whole body
   * @param onCancel the call was begun, and is given up
   */
  constructor(
    number: number,
    head: CallHead,
    sink: CallSink,
    begin: (body: Uint8Array) => void,
    onCancel: (reason: 'client' | 'deadline' | 'shutdown') => void,
  ) {
    this.number = number
    this.#sink = sink
    this.#begin = begin
    this.#onCancel = onCancel
    if (head.body === undefined) return
    if (head.body) this.#parts.push(head.body)
    queueMicrotask(() => this.end())
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== 'gathering') return true
    this.#bytes += chunk.length
    if (this.#bytes > GATHERED_BYTES_MAX)
      this.#fail(`The body has more than the ${GATHERED_BYTES_MAX} bytes that this contract can pass on.`)
    else this.#parts.push(chunk)
    return true
  }

  writeMessage(): boolean {
    return true // this is no WebSocket
  }

  end(): void {
    if (this.#state !== 'gathering') return
    this.#state = 'begun'
    const [first = NOTHING] = this.#parts
    this.#begin(this.#parts.length > 1 ? Buffer.concat(this.#parts) : first)
    this.#parts = []
  }

  consumed(): void {
    // What is passed on is complete already, and bounded.
  }

  cancel(reason: 'client' | 'deadline' | 'shutdown'): void {
    if (this.#state === 'gathering') queueMicrotask(() => this.#fail('The call was cancelled.'))
    else if (this.#state === 'begun') this.#onCancel(reason)
  }

  /** Nothing can be begun any more. */
  abandon(): void {
    this.#state = 'over'
    this.#parts = []
  }

  #fail(message: string): void {
    if (this.#state !== 'gathering') return
    this.abandon()
    this.#sink.onFail({ kind: 'error', message })
  }
}

const NOTHING = new Uint8Array(0)
