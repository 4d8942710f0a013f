import { once } from 'node:events'
import type { Duplex } from 'node:stream'

/**
 * The platform's side of a stream, written from docs/frames.md alone: it shares no code with `src/contracts`, so that a
 * mistake there cannot hide one in a shim.
 */

export const T = {
  HELLO: 1,
  LOAD: 2,
  LOADED: 3,
  LOAD_FAILED: 4,
  CALL: 16,
  RESULT: 17,
  DATA: 18,
  WINDOW: 19,
  CANCEL: 20,
  FAIL: 21,
  MESSAGE: 22,
  LOG: 23,
  PING: 32,
  PONG: 33,
  DRAIN: 34,
} as const

export const WINDOW = 262_144
const WAIT_MS_MAX = 20_000

export interface Frame {
  readonly type: number
  readonly end: boolean
  readonly text: boolean
  readonly call: number
  readonly payload: Buffer
}

export interface Shim {
  readonly channel: Duplex
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>
  kill(): void
}

export interface Answer {
  readonly status: number
  /** `name: value`, in order. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** The payload of FAIL, where the call failed. */
  readonly fail: { readonly message: string; readonly stack?: string } | undefined
}

interface Waiter {
  matches(frame: Frame): boolean
  resolve(frame: Frame): void
}

export class Driver {
  readonly shim: Shim
  /** Frames that nobody has taken yet. */
  readonly #frames: Frame[] = []
  readonly #waiters = new Set<Waiter>()
  #bytes = Buffer.alloc(0)
  #number = 0

  constructor(shim: Shim) {
    this.shim = shim
    shim.channel.on('error', () => {})
    shim.channel.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  send(type: number, call: number, payload: Uint8Array | string = '', flags = 0): void {
    this.sendRaw(frame(type, call, payload, flags))
  }

  sendRaw(bytes: Uint8Array): void {
    this.shim.channel.write(bytes)
  }

  /** Says LOAD and waits for what comes of it. */
  async load(directory: string, entry: string, more: object = {}): Promise<Frame> {
    await this.next(frame => frame.type === T.HELLO, 'HELLO')
    const spec = {
      directory,
      entry,
      config: { GREETING: 'hi' },
      secrets: { KEY: 's3cret' },
      function: { project: 'p', app: 'a', name: 'suite', version: 3 },
      instance: 'i-1',
      concurrency: 8,
      memoryMiB: 128,
      timeoutMs: 30_000,
      ...more,
    }
    this.send(T.LOAD, 0, JSON.stringify(spec))
    return this.next(frame => frame.type === T.LOADED || frame.type === T.LOAD_FAILED, 'LOADED')
  }

  /** Starts a call; without a body it is complete. */
  call(
    line: string,
    options: {
      headers?: readonly string[]
      body?: Uint8Array | string
      open?: boolean
      deadline?: number
    } = {},
  ): number {
    const number = ++this.#number
    const deadline = options.deadline ?? Date.now() + 30_000
    const head = Buffer.from([line, `id-${number}`, deadline, ...(options.headers ?? [])].join('\n'))
    const size = Buffer.alloc(4)
    size.writeUInt32BE(head.length)
    const payload = Buffer.concat([size, head, Buffer.from(options.body ?? '')])
    this.send(T.CALL, number, payload, options.open ? 0 : 1)
    return number
  }

  /** A whole answer; gives the window back as it comes. */
  async answer(number: number): Promise<Answer> {
    const pieces: Buffer[] = []
    let status = 0
    let headers: string[] = []
    for (;;) {
      const { type, end, payload } = await this.next(
        frame =>
          frame.call === number &&
          (frame.type === T.RESULT || frame.type === T.DATA || frame.type === T.FAIL),
        `an answer to call ${number}`,
      )
      if (type === T.FAIL) {
        const fail =
          payload.length === 0 ? { message: '' } : (JSON.parse(String(payload)) as { message: string })
        return { status, headers, body: Buffer.concat(pieces), fail }
      }
      let piece = payload
      if (type === T.RESULT) {
        const size = payload.readUInt32BE(0)
        const lines = payload.toString('utf8', 4, 4 + size).split('\n')
        status = Number(lines[0])
        headers = lines.slice(1)
        piece = payload.subarray(4 + size)
      }
      pieces.push(piece)
      if (end) return { status, headers, body: Buffer.concat(pieces), fail: undefined }
      if (piece.length > 0) this.giveWindow(number, piece.length)
    }
  }

  async get(target: string): Promise<Answer> {
    return this.answer(this.call(`GET ${target}`))
  }

  giveWindow(number: number, bytes: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(bytes)
    this.send(T.WINDOW, number, payload)
  }

  async ping(bytes: string): Promise<string> {
    this.send(T.PING, 0, bytes)
    return String((await this.next(frame => frame.type === T.PONG, 'PONG')).payload)
  }

  /** The first frame that matches, now or later; it is taken out. */
  next(matches: (frame: Frame) => boolean, what: string): Promise<Frame> {
    const at = this.#frames.findIndex(matches)
    if (at !== -1) return Promise.resolve(this.#frames.splice(at, 1)[0] as Frame)
    const { promise, resolve, reject } = Promise.withResolvers<Frame>()
    const timer = setTimeout(() => reject(new Error(`the shim sent no ${what}`)), WAIT_MS_MAX)
    const waiter: Waiter = {
      matches,
      resolve: frame => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        resolve(frame)
      },
    }
    this.#waiters.add(waiter)
    return promise
  }

  /** Everything that has come and was not taken. */
  taken(matches: (frame: Frame) => boolean): Frame[] {
    return this.#frames.filter(matches)
  }

  /** Resolves when all that the shim has sent until now has surely arrived: frames keep their order. */
  async settle(): Promise<void> {
    await this.ping('settle')
  }

  async closed(): Promise<void> {
    if (!this.shim.channel.closed) await once(this.shim.channel, 'close')
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    while (this.#bytes.length >= 10) {
      const end = 10 + this.#bytes.readUInt32BE(0)
      if (this.#bytes.length < end) return
      const flags = this.#bytes[5] as number
      const frame: Frame = {
        type: this.#bytes[4] as number,
        end: (flags & 1) !== 0,
        text: (flags & 2) !== 0,
        call: this.#bytes.readUInt32BE(6),
        payload: Buffer.from(this.#bytes.subarray(10, end)),
      }
      this.#bytes = this.#bytes.subarray(end)
      const waiter = [...this.#waiters].find(each => each.matches(frame))
      if (waiter) waiter.resolve(frame)
      else this.#frames.push(frame)
    }
  }
}

/** The bytes of one frame. */
export function frame(type: number, call: number, payload: Uint8Array | string = '', flags = 0): Buffer {
  const body = Buffer.from(payload)
  const head = Buffer.alloc(10)
  head.writeUInt32BE(body.length, 0)
  head[4] = type
  head[5] = flags
  head.writeUInt32BE(call, 6)
  return Buffer.concat([head, body])
}
