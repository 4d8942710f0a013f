import type { CallFailure, CallHandle, CallSink } from '../contracts/index.ts'
import { AtelierError, asAtelierError, type TableVersion } from '../core/index.ts'
import type { Lease } from '../pool/index.ts'
import { admit } from './admission.ts'
import { answerProblem } from './answer.ts'
import type { InvokeHandle, InvokeRequest, InvokeSink } from './call.ts'
import type { CallContext } from './context.ts'
import { Timed } from './deadlines.ts'
import {
  badAnswer,
  bodyTooFast,
  deadlinePassed,
  failed,
  neverStays,
  socketIdle,
  whyClosed,
} from './failures.ts'
import { headOf } from './head.ts'
import { HeldBody } from './held-body.ts'
import { CallNotes, invocationOf } from './record.ts'
import { nameOf, resolveVersion } from './resolve.ts'
import { readyToken, takeToken } from './token.ts'

/**
 * - `held`       admitted or about to be; waits for a slot, its body is held back
 * - `running`    sent to the code; what comes is passed to the caller
 * - `abandoned`  the caller has its end (it left, or the answer could not be sent); the code still holds its slot
 * - `ending`     the stream to the instance broke; the reason is being looked up
 * - `over`       recorded, slot given back; final
 */
type CallState = 'held' | 'running' | 'abandoned' | 'ending' | 'over'

const SENDS_MAX = 3 // slots tried when instances end between the lease and the sending

/** One call from `invoke` to its record: the caller's handle, the code's sink and its own deadline in a single object. */
export class OneCall extends Timed implements InvokeHandle, CallSink {
  readonly #context: CallContext
  readonly #request: InvokeRequest
  readonly #sink: InvokeSink
  readonly #notes: CallNotes
  readonly #body = new HeldBody()
  #state: CallState = 'held'
  #isAdmitted = false
  /** The caller left; it hears nothing more. */
  #isLeft = false
  #waiting: AbortController | undefined
  #sends = 0
  #handle: CallHandle | undefined
  #isSocket = false
  #heardAt = 0
  /** Header fields with the token that the function asked for. */
  #token: readonly string[] | undefined

  constructor(context: CallContext, request: InvokeRequest, sink: InvokeSink) {
    super()
    this.#context = context
    this.#request = request
    this.#sink = sink
    this.#notes = new CallNotes(request, context.clock)
  }

  get id(): string {
    return this.#notes.id
  }

  get version(): number | undefined {
    return this.#notes.version?.number
  }

  /** Admits the call and sends it at once when a warm instance has room. */
  begin(): void {
    const version = resolveVersion(this.#request.target, this.#request.qualifier, this.#context.random)
    if (version instanceof AtelierError) return this.#refuse(version)
    this.#notes.version = version
    const refusal = admit(this.#context, this.#request.target)
    if (refusal) return this.#refuse(refusal)
    this.#isAdmitted = true
    this.#token = readyToken(version, this.#context)
    if (version.token && !this.#token) return void this.#wait(version)
    const lease = this.#context.pool.tryAcquire(version)
    if (lease?.isOpen) this.#send(lease, version)
    else {
      lease?.release('broken')
      void this.#wait(version)
    }
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    this.#notes.bytesIn += chunk.length
    if (this.#state === 'running') return this.#handle!.write(chunk)
    if (this.#state !== 'held') return true // it is over; what still comes is dropped
    const room = this.#body.push(chunk)
    if (this.#body.isOverfull) {
      this.#fail(bodyTooFast())
      this.#waiting?.abort()
    }
    return room
  }

  writeMessage(data: Uint8Array, text: boolean): boolean {
    if (this.#state !== 'running') return true // before the opening there is nobody to send it to
    this.#notes.bytesIn += data.length
    this.#heardAt = this.#context.clock.monotonic()
    return this.#handle!.writeMessage(data, text)
  }

  end(close?: Uint8Array): void {
    if (this.#state === 'running') this.#handle!.end(close)
    else this.#body.isComplete = true
  }

  consumed(bytes: number): void {
    if (this.#state === 'running') this.#handle!.consumed(bytes)
  }

  cancel(): void {
    this.#isLeft = true
    if (this.#state === 'held') {
      this.#notes.error = new AtelierError('CANCELLED', 'The caller left while the call waited.')
      this.#over()
      this.#waiting?.abort()
    } else if (this.#state === 'running') {
      this.#notes.error = new AtelierError('CANCELLED', 'The caller left.')
      this.#abandon()
    }
  }

  // The code's side.

  onHead(status: number, headers: readonly string[]): void {
    if (this.#state !== 'running') return
    const problem = answerProblem(status, headers, this.#request.webSocket === true)
    if (problem !== undefined) {
      this.#tellFailure(badAnswer(this.#name, problem))
      this.#abandon()
      return
    }
    this.#notes.httpStatus = status
    if (status === 101) {
      this.#isSocket = true
      this.#heardAt = this.#context.clock.monotonic()
      this.#context.deadlines.set(this, this.#heardAt + this.#context.webSocketIdleMs)
    }
    this.#sink.onHead(status, headers)
  }

  onData(chunk: Uint8Array): void {
    if (this.#state !== 'running') return
    this.#notes.bytesOut += chunk.length
    this.#sink.onData(chunk)
  }

  onMessage(data: Uint8Array, text: boolean): void {
    if (this.#state !== 'running') return
    this.#notes.bytesOut += data.length
    this.#heardAt = this.#context.clock.monotonic()
    this.#sink.onMessage?.(data, text)
  }

  onDrain(): void {
    if (this.#state === 'running') this.#sink.onDrain?.()
  }

  onEnd(close?: Uint8Array): void {
    if (this.#state === 'abandoned') return this.#over('suspect')
    if (this.#state !== 'running') return
    this.#state = 'ending' // the sink may call back
    this.#sink.onEnd(close)
    this.#over('ok')
  }

  onFail(failure: CallFailure): void {
    if (this.#state === 'abandoned') return this.#over(failure.kind === 'error' ? 'suspect' : 'broken')
    if (this.#state !== 'running') return
    if (failure.kind === 'closed') {
      void this.#crashed()
      return
    }
    this.#notes.detail = failure.message
    if (failure.kind === 'error') this.#fail(failed(this.#name, this.id), 'ok')
    else this.#fail(badAnswer(this.#name, failure.message), 'broken')
  }

  override onDue(): void {
    const { clock, deadlines, webSocketIdleMs } = this.#context
    if (this.#state === 'abandoned') return this.#over('broken')
    if (this.#state !== 'running') return
    if (this.#isSocket) {
      const due = this.#heardAt + webSocketIdleMs
      if (due > clock.monotonic()) return deadlines.set(this, due)
      this.#tellFailure(socketIdle(this.#name, webSocketIdleMs))
      this.#abandon()
      return
    }
    this.#handle!.cancel('deadline')
    this.#fail(deadlinePassed(this.#name, this.#notes.version!.limits.timeoutMs), 'broken')
  }

  // Between the two.

  get #name(): string {
    return nameOf(this.#request.target)
  }

  async #wait(version: TableVersion): Promise<void> {
    const abort = new AbortController()
    this.#waiting = abort
    let lease: Lease
    try {
      this.#token ??= await takeToken(version, this.#name, this.#context)
      if (this.#state !== 'held') return
      lease = await this.#context.pool.acquire(version, version.limits.timeoutMs, abort.signal)
    } catch (thrown) {
      if (this.#state === 'held') this.#fail(asAtelierError(thrown))
      return
    }
    if (this.#state !== 'held') return lease.release('ok')
    if (lease.isOpen) return this.#send(lease, version)
    // The instance ended before anything was sent to it, so the code has surely not seen the call: another may have it.
    lease.release('broken')
    if (++this.#sends < SENDS_MAX) return this.#wait(version)
    this.#fail(neverStays(this.#name))
  }

  #send(lease: Lease, version: TableVersion): void {
    const { clock, deadlines, projects, vigil } = this.#context
    const request = this.#request
    const ran = clock.monotonic()
    this.#notes.lease = lease
    this.#notes.ran = ran
    this.#state = 'running'
    const body = request.body === undefined && request.webSocket !== true ? this.#body.whole() : request.body
    if (request.body) this.#notes.bytesIn = request.body.length
    const head = headOf(request, this.#notes, version, { token: this.#token, body, ran })
    try {
      this.#handle = lease.link.invoke(head, this)
    } catch (thrown) {
      return this.#refuseToSend(asAtelierError(thrown))
    }
    vigil.begin(ran, projects.inHand)
    lease.attachCall(this.#handle.number, this.id)
    deadlines.set(this, ran + version.limits.timeoutMs)
    if (body === undefined && this.#body.sendTo(this.#handle)) this.#sink.onDrain?.()
  }

  /** The contract cannot say this call in its words: the code has seen nothing of it. */
  #refuseToSend(error: AtelierError): void {
    this.#notes.ran = undefined
    this.#state = 'ending'
    queueMicrotask(() => this.#fail(error)) // `invoke` may not have returned
  }

  /** The caller has its end; the code gets a while to notice. */
  #abandon(): void {
    const { clock, cancelGraceMs, deadlines } = this.#context
    this.#state = 'abandoned'
    const graceEnd = clock.monotonic() + cancelGraceMs
    deadlines.set(this, this.#isSocket ? graceEnd : Math.min(this.due, graceEnd))
    this.#handle!.cancel('client')
  }

  async #crashed(): Promise<void> {
    this.#state = 'ending'
    this.#context.deadlines.clear(this)
    const { lease, version } = this.#notes
    const error = await whyClosed(this.#name, lease!, version!.limits.memoryMiB, this.#context)
    this.#fail(error, 'broken')
  }

  /** Refusals come before `invoke` returns; the sink hears of them after. */
  #refuse(error: AtelierError): void {
    queueMicrotask(() => {
      if (this.#state === 'held') this.#fail(error)
    })
  }

  #fail(error: AtelierError, outcome?: 'ok' | 'broken'): void {
    this.#state = 'ending' // the sink may call back
    this.#tellFailure(error)
    this.#over(outcome)
  }

  #tellFailure(error: AtelierError): void {
    this.#notes.error = error
    if (this.#isLeft) return
    if (this.#notes.httpStatus === 0) this.#notes.httpStatus = error.status
    this.#sink.onFail(error)
  }

  /** Gives everything back and leaves the record. */
  #over(outcome: 'ok' | 'suspect' | 'broken' = 'ok'): void {
    const { clock, deadlines, observer, projects, vigil } = this.#context
    const notes = this.#notes
    const { lease, target } = notes
    this.#state = 'over'
    deadlines.clear(this)
    notes.over = clock.monotonic()
    vigil.end(notes.over)
    notes.memoryPeakBytes = lease?.memoryPeakBytes(notes.error !== undefined)
    lease?.release(outcome)
    if (this.#isAdmitted) projects.leave(target.projectId)
    if (lease !== undefined || projects.mayRecordRefusal(target.projectId, notes.over))
      observer.onInvocation(invocationOf(notes))
  }
}
