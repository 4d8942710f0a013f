import type { Duplex } from 'node:stream'
import type {
  CallHandle,
  CallHead,
  CallSink,
  Contract,
  ContractCapabilities,
  Link,
  LinkEvents,
  LoadSpec,
  Preparation,
} from '../../src/contracts/index.ts'
import { AtelierError } from '../../src/core/index.ts'

/** One call as the code in a scripted instance sees it. */
export class ScriptedCall implements CallHandle {
  readonly link: ScriptedLink
  readonly number: number
  readonly head: CallHead
  readonly sink: CallSink
  /** Pieces of the body that came through the handle. */
  readonly pieces: Uint8Array[] = []
  readonly messages: string[] = []
  isBodyComplete: boolean
  cancelled: string | undefined
  consumedBytes = 0
  isOver = false

  constructor(link: ScriptedLink, number: number, head: CallHead, sink: CallSink) {
    this.link = link
    this.number = number
    this.head = head
    this.sink = sink
    this.isBodyComplete = head.body !== undefined
  }

  write(chunk: Uint8Array): boolean {
    this.pieces.push(chunk)
    return this.link.contract.hasRoom
  }

  writeMessage(data: Uint8Array): boolean {
    this.messages.push(Buffer.from(data).toString())
    return true
  }

  end(): void {
    this.isBodyComplete = true
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes
  }

  cancel(reason: string): void {
    this.cancelled = reason
  }

  /** Answers with `body` and is over. */
  answer(body = 'ok', status = 200, headers: readonly string[] = []): void {
    if (this.isOver) return
    if (!this.cancelled) this.sink.onHead(status, headers)
    if (!this.cancelled && body !== '') this.sink.onData(Buffer.from(body))
    this.finish(() => this.sink.onEnd())
  }

  fail(kind: 'error' | 'closed' | 'violation' = 'error', message = 'it failed'): void {
    this.finish(() => this.sink.onFail({ kind, message }))
  }

  finish(say: () => void): void {
    if (this.isOver) return
    this.isOver = true
    this.link.calls.delete(this)
    say()
  }
}

/** A link whose other end is played by the contract's knobs. */
export class ScriptedLink implements Link {
  readonly contract: ScriptedContract
  readonly ready: Promise<void>
  readonly events: LinkEvents
  readonly calls = new Set<ScriptedCall>()
  spec: LoadSpec | undefined
  mostCalls = 0
  pings = 0
  isDrained = false
  #number = 0
  #isClosed = false
  readonly #channel: Duplex

  constructor(contract: ScriptedContract, channel: Duplex, events: LinkEvents) {
    this.contract = contract
    this.events = events
    this.#channel = channel
    this.ready = contract.isMute ? new Promise(() => {}) : Promise.resolve()
    channel.on('close', () => this.close())
  }

  async load(spec: LoadSpec): Promise<{ initMs: number }> {
    this.spec = spec
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => {})
    this.#onLost = lost.reject
    await Promise.race([this.contract.onLoad(spec, this), lost.promise])
    return { initMs: 1 }
  }

  #onLost: (error: Error) => void = () => {}

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const call = new ScriptedCall(this, ++this.#number, head, sink)
    this.calls.add(call)
    this.mostCalls = Math.max(this.mostCalls, this.calls.size)
    queueMicrotask(() => this.contract.onCall(call))
    return call
  }

  drain(): void {
    this.isDrained = true
  }

  destroy(): void {
    this.#channel.destroy()
    this.close()
  }

  async ping(): Promise<boolean> {
    this.pings++
    return this.contract.answersPing
  }

  /** The stream breaks. */
  close(kind: 'closed' | 'violation' = 'closed'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#onLost(new AtelierError('BACKEND_FAILED', 'the stream ended'))
    for (const call of this.calls) call.fail(kind, 'the stream ended')
    this.events.onClose({ kind, detail: 'the stream ended' })
  }
}

/** A contract without bytes: tests say what the code does. */
export class ScriptedContract implements Contract {
  readonly name = 'scripted'
  capabilities: ContractCapabilities = {
    streaming: true,
    concurrency: true,
    webSocket: true,
    lateLoad: true,
  }
  readonly links: ScriptedLink[] = []
  onLoad: (spec: LoadSpec, link: ScriptedLink) => void | Promise<void> = () => {}
  onCall: (call: ScriptedCall) => void = call => call.answer()
  /** Shims that never say hello. */
  isMute = false
  answersPing = true
  /** What `write` answers. */
  hasRoom = true

  prepare(): Preparation {
    return {
      open: ({ channel }, events) => {
        const link = new ScriptedLink(this, channel, events)
        this.links.push(link)
        return link
      },
    }
  }
}
