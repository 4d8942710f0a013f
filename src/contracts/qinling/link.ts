import type { CallFailure, CallHandle, CallHead, CallSink, Link, LinkEvents, StartSpec } from '../contract.ts'
import { GATHERED_BYTES_MAX, GatheringCall } from '../gathering.ts'
import { executeBody, readExecution } from './execution.ts'

/** Calls as executions: a complete input, and a result that is complete too. */
export class QinlingLink implements Link {
  readonly ready: Promise<void>
  readonly #server: Link
  readonly #events: LinkEvents
  readonly #spec: StartSpec
  readonly #downloadUrl: string

  /** `server`: the conversation over HTTP with the runtime. */
  constructor(server: Link, events: LinkEvents, spec: StartSpec, downloadUrl: string) {
    this.#server = server
    this.#events = events
    this.#spec = spec
    this.#downloadUrl = downloadUrl
    this.ready = server.ready
  }

  load(spec: StartSpec): Promise<{ initMs: number }> {
    return this.#server.load(spec)
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    let inner: CallHandle | undefined
    const begin = (body: Uint8Array) => {
      const input = executeBody(this.#spec, head, body, this.#downloadUrl)
      const result = new ExecutionSink(sink, logs => this.#events.onLog(call.number, 'stdout', logs))
      const asked = { id: head.id, deadline: head.deadline, headers: JSON_HEADERS, body: input }
      inner = this.#server.invoke({ ...asked, method: 'POST', target: '/execute' }, result)
      result.handle = inner
    }
    const call = new GatheringCall(++this.#number, head, sink, begin, reason => inner?.cancel(reason))
    return call
  }

  #number = 0

  drain(): void {
    this.#server.drain()
  }

  destroy(): void {
    this.#server.destroy()
  }

  ping(timeoutMs: number): Promise<boolean> {
    return this.#server.ping(timeoutMs)
  }
}

const JSON_HEADERS = ['content-type', 'application/json']

/** Gathers what a runtime answers and makes a result of it. */
class ExecutionSink implements CallSink {
  handle: CallHandle | undefined
  readonly #sink: CallSink
  readonly #onLogs: (text: string) => void
  readonly #parts: Uint8Array[] = []
  #bytes = 0
  #isOver = false

  constructor(sink: CallSink, onLogs: (text: string) => void) {
    this.#sink = sink
    this.#onLogs = onLogs
  }

  onHead(): void {
    // Qinling's engine looks at the body alone.
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.#bytes += chunk.length
    this.handle?.consumed(chunk.length)
    if (this.#bytes <= GATHERED_BYTES_MAX) this.#parts.push(chunk)
    else this.#violate(`more than ${GATHERED_BYTES_MAX} bytes`)
  }

  onEnd(): void {
    if (this.#isOver) return
    this.#isOver = true
    const execution = readExecution(Buffer.concat(this.#parts))
    if (typeof execution === 'string') {
      this.#sink.onFail({ kind: 'violation', message: `The runtime sent ${execution}.` })
      return
    }
    if (execution.logs !== '') this.#onLogs(execution.logs)
    const body = Buffer.from(JSON.stringify(execution.output))
    const { duration } = execution
    const headers = ['content-type', 'application/json', 'content-length', String(body.length)]
    if (duration !== undefined) headers.push('qinling-duration', String(duration))
    this.#sink.onHead(execution.success ? 200 : 500, headers)
    this.#sink.onData(body)
    this.#sink.onEnd()
  }

  onFail(failure: CallFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sink.onFail(failure)
  }

  #violate(what: string): void {
    this.#isOver = true
    this.handle?.cancel('shutdown')
    this.#sink.onFail({ kind: 'violation', message: `The runtime sent ${what}.` })
  }
}
