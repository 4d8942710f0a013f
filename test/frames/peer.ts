import { type Duplex, duplexPair } from 'node:stream'
import type { Link } from '../../src/contracts/index.ts'
import {
  type CallSink,
  createFramesContract,
  type LinkEvents,
  type LinkFailure,
  type LoadSpec,
} from '../../src/contracts/index.ts'
import { Driver, type Frame, frame, T } from '../suites/frames/driver.ts'

export const loadSpec: LoadSpec = {
  entry: 'index.mjs',
  config: {},
  secrets: {},
  function: { project: 'p', app: 'a', name: 'f', version: 1 },
  instance: 'i',
  concurrency: 1,
  memoryMiB: 128,
  timeoutMs: 1000,
}

/** The other end of a link, played by the test. */
class Peer {
  readonly channel: Duplex
  readonly gone: Promise<void>
  readonly #driver: Driver

  constructor(channel: Duplex) {
    this.channel = channel
    this.#driver = new Driver({ channel, exited: Promise.resolve(), kill: () => {} })
    this.gone = new Promise(resolve => {
      for (const event of ['close', 'end']) channel.once(event, () => resolve())
    })
  }

  get frames(): readonly Frame[] {
    return this.#driver.taken(() => true)
  }

  hello(): void {
    this.send(T.HELLO, 0, '{"protocol":1}')
  }

  send(type: number, call: number, payload: Uint8Array | string, flags = 0): void {
    this.channel.write(frame(type, call, payload, flags))
  }

  window(call: number, bytes: number): void {
    this.#driver.giveWindow(call, bytes)
  }

  next(type: number, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.#driver.next(each => each.type === type && matches(each), `frame ${type}`)
  }

  /** Resolves when the link has read all that was sent, and what it says to that has come. */
  async settle(link: Link): Promise<void> {
    const alive = link.ping(1000)
    this.send(T.PONG, 0, (await this.next(T.PING)).payload)
    await alive
    await this.quiet()
  }

  async quiet(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  }
}

/** A link and its peer, with time that stands still until the test moves it. */
export function connected() {
  const [ours, theirs] = duplexPair()
  const timers = new Set<{ at: number; callback: () => void }>()
  let now = 0
  const clock = {
    now: () => now,
    monotonic: () => now,
    after(delayMs: number, callback: () => void) {
      const timer = { at: now + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance(ms: number) {
      now += ms
      for (const timer of [...timers].filter(each => each.at <= now)) timer.callback()
    },
  }
  const events = {
    logs: [] as [number, string, string][],
    closed: undefined as LinkFailure | undefined,
    onLog: (call: number, stream: 'stdout' | 'stderr', text: string) =>
      void events.logs.push([call, stream, text]),
    onClose: (reason: LinkFailure) => {
      events.closed = reason
    },
  } satisfies LinkEvents & Record<string, unknown>
  const link = createFramesContract(clock).prepare().open({ channel: ours }, events)
  return { link, peer: new Peer(theirs), events, clock }
}

/** A sink that writes down what it is told. */
export function recorder() {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const said: unknown[][] = []
  const sink: CallSink = {
    onHead: (status, headers) => void said.push(['head', status, headers]),
    onData: chunk => void said.push(['data', String(chunk)]),
    onMessage: (data, isText) => void said.push(['message', String(data), isText]),
    onDrain: () => void said.push(['drain']),
    onEnd(close) {
      said.push(['end', close === undefined ? undefined : String(close)])
      resolve()
    },
    onFail(failure) {
      said.push(['fail', failure.kind, failure.message])
      resolve()
    },
  }
  return { ...sink, said, over }
}

/** The payload of a RESULT. */
export function result(head: string, body: Uint8Array | string = ''): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(Buffer.byteLength(head))
  return Buffer.concat([size, Buffer.from(head), Buffer.from(body)])
}

export function text(each: Frame): string {
  return String(each.payload)
}
