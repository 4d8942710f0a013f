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
import { AnswerReader } from '../http1/answer-reader.ts'
import { callEntries, payloadOf } from './environment.ts'
import { sniffType } from './sniff.ts'

interface Running {
  readonly call: GatheringCall
  readonly sink: CallSink
  isCancelled: boolean
}

/**
 * A living process that is sent one request after the other on its stdin and answers on its stdout (IronFunctions' format
 * `http`). Of an answer the body alone is used.
 */
export class HotLink implements Link {
  readonly ready = Promise.resolve()
  readonly #access: ContractAccess
  readonly #events: LinkEvents
  readonly #config: Readonly<Record<string, string>>
  readonly #reader = new AnswerReader()
  #number = 0
  #running: Running | undefined
  #closed: LinkFailure | undefined

  /** `config`: configuration, which each request carries as headers. */
  constructor(access: ContractAccess, events: LinkEvents, config: Readonly<Record<string, string>>) {
    this.#access = access
    this.#events = events
    this.#config = config
    access.stdin?.on('error', () => {}) // its exit tells
    access.stdout.on('error', () => {})
    access.stdout.on('data', (chunk: Buffer) => {
      if (this.#running === undefined) this.#violate('something that nobody asked for')
      else this.#reader.read(chunk)
    })
    void access.exited.then(() => this.#close({ kind: 'closed', detail: 'The process ended.' }))
  }

  async load(): Promise<{ initMs: number }> {
    return { initMs: 0 }
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const begin = (body: Uint8Array) => this.#send(head, sink, payloadOf(head, body))
    const cancel = () => {
      // The answer that still comes must not be taken for that of the next call: it is waited for, and nobody hears it.
      if (this.#running?.call === call) this.#running.isCancelled = true
    }
    const call: GatheringCall = new GatheringCall(++this.#number, head, sink, begin, cancel)
    const closed = this.#closed
    if (closed === undefined) this.#running = { call, sink, isCancelled: false }
    else {
      call.abandon()
      queueMicrotask(() => sink.onFail({ kind: 'closed', message: closed.detail }))
    }
    return call
  }

  drain(): void {
    this.#access.stdin?.end()
    this.#access.terminate()
  }

  destroy(): void {
    this.#close({ kind: 'closed', detail: 'The platform ended the instance.' })
  }

  async ping(): Promise<boolean> {
    return this.#closed === undefined
  }

  #send(head: CallHead, sink: CallSink, payload: Uint8Array): void {
    const parts: Buffer[] = []
    let bytes = 0
    this.#reader.expect(
      {
        onHead() {},
        onData: chunk => {
          bytes += chunk.length
          if (bytes > GATHERED_BYTES_MAX) this.#violate(`more than ${GATHERED_BYTES_MAX} bytes`)
          else parts.push(chunk)
        },
        onEnd: isReusable => this.#answer(sink, Buffer.concat(parts), isReusable),
        onProblem: problem => this.#violate(problem),
      },
      false,
    )
    this.#access.stdin?.write(requestHead(head, this.#config, payload.length), 'latin1')
    if (payload.length > 0) this.#access.stdin?.write(payload)
  }

  #answer(sink: CallSink, body: Buffer, isReusable: boolean): void {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.call.abandon()
    if (!running.isCancelled) {
      sink.onHead(200, ['content-type', sniffType(body), 'content-length', String(body.length)])
      if (body.length > 0) sink.onData(body)
    }
    // What follows the answer would be taken for the next one's.
    if (!isReusable) this.#violate('more than one answer, or one that ends only with the stream')
    sink.onEnd()
  }

  #violate(what: string): void {
    this.#close({ kind: 'violation', detail: `The process broke the stdio-http contract: it sent ${what}.` })
  }

  #close(failure: LinkFailure): void {
    if (this.#closed) return
    this.#closed = failure
    const running = this.#running
    this.#running = undefined
    running?.call.abandon()
    running?.sink.onFail({ kind: failure.kind, message: failure.detail })
    this.#events.onClose(failure)
  }
}

/** One request as IronFunctions frames it: always GET /, the environment as headers, in the order of their names. */
export function requestHead(
  head: CallHead,
  config: Readonly<Record<string, string>>,
  payloadBytes: number,
): string {
  const lines = Object.entries({ ...config, ...callEntries(head) })
    .map(([name, value]) => `${canonical(name)}: ${oneLine(value)}`)
    .sort()
  return ['GET / HTTP/1.1', ...lines, `Content-Length: ${payloadBytes}`, `Task-Id: ${head.id}`, '', ''].join(
    '\r\n',
  )
}

/** `HEADER_CONTENT_TYPE` as `Header_content_type`: an underscore begins no word. */
function canonical(name: string): string {
  return name.charAt(0) + name.slice(1).toLowerCase()
}

/** As bytes in Latin-1; a line break of a configuration value cannot go in a header. */
function oneLine(value: string): string {
  // oxlint-disable-next-line no-control-regex
  return Buffer.from(value.replaceAll(/[\0-\x08\x0a-\x1f\x7f]+/g, ' '), 'utf8').toString('latin1')
}
