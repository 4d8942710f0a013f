import type { Server } from 'node:net'
import { AtelierError, type Clock } from '../../core/index.ts'
import { CallTable } from '../call-table.ts'
import type {
  CallHandle,
  CallHead,
  CallSink,
  ContractAccess,
  Link,
  LinkEvents,
  LinkFailure,
} from '../contract.ts'
import { type Invocation, RuntimeApi, type RuntimeApiHome } from './api.ts'
import { LambdaCall, type LambdaCallHome } from './call.ts'
import { clientContextOf, fieldsOf, httpEvent, isEvent, traceIdOf } from './event.ts'
import type { ReportedError } from './reply.ts'

/** What a link needs to know of its function. */
export interface LambdaWays {
  /** `app/name`, for messages. */
  readonly name: string
  /** As the runtime is told. */
  readonly arn: string
  readonly concurrency: number
  /** Every body is an event. */
  readonly isRaw: boolean
  /** How long the runtime may take until it asks for work. */
  readonly startMs: number
}

/** The conversation with a Lambda runtime in an instance. It begins before the instance does: the runtime connects to us. */
export class LambdaLink implements Link, LambdaCallHome, RuntimeApiHome {
  readonly ready = Promise.resolve()
  readonly concurrency: number
  readonly #ways: LambdaWays
  readonly #clock: Clock
  readonly #api: RuntimeApi
  readonly #calls = new CallTable<LambdaCall>()
  readonly #polled = Promise.withResolvers<string | undefined>()
  #access: ContractAccess | undefined
  #events: LinkEvents | undefined
  #early = ''
  #closed: LinkFailure | undefined

  constructor(ways: LambdaWays, clock: Clock) {
    this.#ways = ways
    this.#clock = clock
    this.concurrency = ways.concurrency
    this.#api = new RuntimeApi(this)
  }

  /** The runtime will connect to `listener`. */
  serve(listener: Server): void {
    this.#api.serve(listener)
  }

  /** The instance runs. */
  opened(access: ContractAccess, events: LinkEvents): void {
    this.#access = access
    this.#events = events
    if (this.#early !== '') events.onLog(0, 'stderr', this.#early)
    void access.exited.then(() => this.#close({ kind: 'closed', detail: 'The process ended.' }))
  }

  async load(): Promise<{ initMs: number }> {
    const { name, startMs } = this.#ways
    const began = this.#clock.monotonic()
    const late = `Function "${name}" did not ask for its first call within ${startMs} ms: a Lambda runtime asks at the address in AWS_LAMBDA_RUNTIME_API; give it more time with contract: startMs.`
    const cancel = this.#clock.after(startMs, () => this.#polled.resolve(late))
    const problem = await this.#polled.promise
    cancel()
    if (problem !== undefined) throw new AtelierError('FUNCTION_LOAD_FAILED', problem)
    return { initMs: this.#clock.monotonic() - began }
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const call = new LambdaCall(this, this.#calls.nextNumber(), head, sink)
    this.#calls.add(call)
    const closed = this.#closed
    if (closed) queueMicrotask(() => call.fail(closed.kind, closed.detail))
    return call
  }

  drain(): void {
    this.#access?.terminate()
  }

  destroy(): void {
    this.#close({ kind: 'closed', detail: 'The platform ended the instance.' })
  }

  /** A runtime is never asked, it asks: what it does between two calls cannot be known. */
  async ping(): Promise<boolean> {
    return this.#closed === undefined
  }

  // What calls say.

  onReady(call: LambdaCall): void {
    this.#api.add(call)
  }

  onOver(call: LambdaCall): void {
    this.#calls.delete(call.number)
    this.#api.remove(call)
  }

  // What the runtime says.

  onFirstPoll(): void {
    this.#polled.resolve(undefined)
  }

  onInitError({ text }: ReportedError): void {
    if (this.#events) this.#events.onLog(0, 'stderr', `${text}\n`)
    else this.#early = `${text}\n`
    this.#polled.resolve(
      `Function "${this.#ways.name}" could not be initialised; the function's log tells why.`,
    )
  }

  onError(call: LambdaCall, { message, text }: ReportedError): void {
    this.#events?.onLog(call.number, 'stderr', `${text}\n`)
    call.fail('error', message, text)
  }

  invocationOf(call: LambdaCall): Invocation {
    const { head } = call
    const fields = fieldsOf(head)
    const isRaw = this.#ways.isRaw || isEvent(fields)
    const body = call.body()
    const traceId = traceIdOf(fields)
    const context = clientContextOf(fields)
    return {
      isRaw,
      event: isRaw ? (body.length === 0 ? '{}' : body) : httpEvent(head, fields, body, this.#clock.now()),
      headers: {
        'lambda-runtime-aws-request-id': head.id,
        'lambda-runtime-deadline-ms': String(head.deadline),
        'lambda-runtime-invoked-function-arn': this.#ways.arn,
        ...(traceId !== undefined && { 'lambda-runtime-trace-id': traceId }),
        ...(context !== undefined && { 'lambda-runtime-client-context': context }),
      },
    }
  }

  #close(failure: LinkFailure): void {
    if (this.#closed) return
    this.#closed = failure
    this.#polled.resolve(`Function "${this.#ways.name}" ended before it asked for its first call.`)
    for (const call of this.#calls.all()) call.fail(failure.kind, failure.detail)
    this.#api.close()
    this.#events?.onClose(failure)
  }
}
