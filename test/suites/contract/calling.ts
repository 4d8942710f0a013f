import { setTimeout as sleep } from 'node:timers/promises'
import type { CallFailure, CallHandle, CallSink } from '../../../src/contracts/index.ts'

export const ANSWER_MS_MAX = 20_000

export interface Answered {
  readonly status: number | undefined
  readonly headers: readonly string[]
  readonly body: Buffer
  readonly failure: CallFailure | undefined
}

/** One call, gathered. What comes is passed on at once. */
export class Calling {
  readonly id: string
  readonly answer: Promise<Answered>
  readonly handle: CallHandle
  /** Messages of a WebSocket as they came; `close` is what closed it. */
  readonly messages: { readonly data: Buffer; readonly text: boolean }[] = []
  status: number | undefined
  headers: readonly string[] = []
  close: Uint8Array | undefined
  #parts: Buffer[] = []
  #onPart: (() => void) | undefined

  constructor(id: string, invoke: (sink: CallSink) => CallHandle, passesOn = true) {
    this.id = id
    const { promise, resolve } = Promise.withResolvers<Answered>()
    this.answer = Promise.race([promise, late()])
    this.answer.catch(() => {}) // not every test waits for an answer, and some calls have none
    const over = (failure: CallFailure | undefined) =>
      resolve({ status: this.status, headers: this.headers, body: Buffer.concat(this.#parts), failure })
    this.handle = invoke({
      onHead: (given, fields) => {
        this.status = given
        this.headers = fields
        this.#onPart?.()
      },
      onMessage: (data, text) => {
        this.messages.push({ data: Buffer.from(data), text })
        if (passesOn) this.handle.consumed(data.length)
        this.#onPart?.()
      },
      onData: chunk => {
        this.#parts.push(Buffer.from(chunk))
        this.handle.consumed(chunk.length)
        this.#onPart?.()
      },
      onEnd: close => {
        this.close = close
        over(undefined)
      },
      onFail: over,
    })
  }

  write(chunk: Uint8Array): boolean {
    return this.handle.write(chunk)
  }

  finish(): void {
    this.handle.end()
  }

  /** Resolves when the answer ends with `text` so far. */
  received(text: string): Promise<void> {
    return this.until(() => Buffer.concat(this.#parts).toString().endsWith(text))
  }

  /** Resolves when `holds` does, which is asked again whenever something comes. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onPart = resolve
      await Promise.race([promise, late()])
    }
  }

  async opened(): Promise<void> {
    await this.until(() => this.status !== undefined)
  }

  say(text: string): boolean {
    return this.handle.writeMessage(Buffer.from(text), true)
  }

  /** The answer to a message, as text. */
  async answerTo(text: string): Promise<string> {
    const before = this.messages.length
    this.say(text)
    await this.until(() => this.messages.length > before)
    return this.messages[before]!.data.toString()
  }
}

async function late(): Promise<never> {
  await sleep(ANSWER_MS_MAX, undefined, { ref: false })
  throw new Error('no answer came in time')
}
