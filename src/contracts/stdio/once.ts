import { once } from 'node:events'
import type { SandboxExit } from '../../backends/index.ts'
import type { Clock } from '../../core/index.ts'
import type {
  CallHandle,
  CallHead,
  CallSink,
  ContractAccess,
  Link,
  LinkEvents,
  LinkFailure,
} from '../contract.ts'
import { GATHERED_BYTES_MAX, GatheringCall } from '../gathering.ts'
import { callEntries, payloadOf } from './environment.ts'
import { sniffType } from './sniff.ts'

const LAST_WORDS_MS = 1_000 // that stdout may take to end after the process

/**
 * One process, one call (IronFunctions' format `default`). The process is made before, and waits for the call's environment; what it
 * writes until it ends is the answer, and its exit code says whether it is one.
 */
export class OnceLink implements Link {
  readonly ready = Promise.resolve()
  readonly #access: ContractAccess
  readonly #events: LinkEvents
  readonly #clock: Clock
  readonly #output: Buffer[] = []
  #outputBytes = 0
  #running: { readonly call: GatheringCall; readonly sink: CallSink; readonly id: string } | undefined
  #closed: LinkFailure | undefined

  constructor(access: ContractAccess, events: LinkEvents, clock: Clock) {
    this.#access = access
    this.#events = events
    this.#clock = clock
    access.stdin?.on('error', () => {}) // it need not read all that it is given
    access.stdout.on('error', () => {})
    access.stdout.on('data', (chunk: Buffer) => this.#collect(chunk))
    void access.exited.then(exit => this.#ended(exit))
  }

  async load(): Promise<{ initMs: number }> {
    return { initMs: 0 }
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const begin = (body: Uint8Array) => {
      this.#access.begin(callEntries(head))
      this.#access.stdin?.end(payloadOf(head, body))
    }
    const call = new GatheringCall(1, head, sink, begin, () => this.#access.terminate())
    const closed = this.#closed
    if (closed === undefined) this.#running = { call, sink, id: head.id }
    else {
      call.abandon()
      queueMicrotask(() => sink.onFail({ kind: 'closed', message: closed.detail }))
    }
    return call
  }

  drain(): void {
    this.#access.terminate()
  }

  destroy(): void {
    this.#fail({ kind: 'closed', detail: 'The platform ended the instance.' })
  }

  async ping(): Promise<boolean> {
    return this.#closed === undefined
  }

  #collect(chunk: Buffer): void {
    if (this.#running === undefined) return // it has not been asked anything yet
    this.#outputBytes += chunk.length
    if (this.#outputBytes <= GATHERED_BYTES_MAX) this.#output.push(chunk)
    else
      this.#fail({
        kind: 'violation',
        detail: `It wrote more than the ${GATHERED_BYTES_MAX} bytes that an answer may have.`,
      })
  }

  async #ended(exit: SandboxExit): Promise<void> {
    const { stdout } = this.#access
    if (!stdout.readableEnded && !stdout.destroyed) {
      const late = Promise.withResolvers<undefined>()
      const cancel = this.#clock.after(LAST_WORDS_MS, () => late.resolve(undefined))
      await Promise.race([once(stdout, 'close'), once(stdout, 'end'), late.promise])
      cancel()
    }
    if (this.#closed) return
    const running = this.#running
    if (running !== undefined && exit.reason === 'exit' && exit.code !== undefined) {
      this.#running = undefined
      running.call.abandon()
      this.#answer(running.sink, running.id, exit.code)
    }
    this.#fail({ kind: 'closed', detail: 'The process ended.' })
  }

  #answer(sink: CallSink, id: string, code: number): void {
    const body =
      code === 0
        ? Buffer.concat(this.#output)
        : Buffer.from(JSON.stringify({ request_id: id, error: { message: `exit code ${code}` } }))
    const type = code === 0 ? sniffType(body) : 'application/json; charset=utf-8'
    sink.onHead(code === 0 ? 200 : 500, ['content-type', type, 'content-length', String(body.length)])
    if (body.length > 0) sink.onData(body)
    sink.onEnd()
  }

  #fail(failure: LinkFailure): void {
    if (this.#closed) return
    this.#closed = failure
    const running = this.#running
    this.#running = undefined
    running?.call.abandon()
    running?.sink.onFail({ kind: failure.kind, message: failure.detail })
    this.#events.onClose(failure)
  }
}
