import { HOP_BY_HOP } from '../../core/index.ts'
import type { CallHead, CallSink } from '../contract.ts'
import { isPlain } from './request.ts'

const PREFIX = 'fn-http-h-'
const DETAIL_BYTES_MAX = 16 * 1024
/** Said by the platform itself, or meant for one connection only. */
const NOT_PASSED_ON = new Set([...HOP_BY_HOP, 'content-length', 'proxy-authorization'])

/** What stands between a kit's answer and the caller: the status tells how the call went, and the caller's answer is in the headers. */
export class FnAnswer implements CallSink {
  readonly #sink: CallSink
  readonly #isHead: boolean
  readonly #isPlain: boolean
  readonly #drop: (bytes: number) => void
  #state: 'passing' | 'dropping' | 'failed' | 'over' = 'passing'
  #detail: Buffer[] = []
  #detailBytes = 0
  #kitStatus = 200

  /** `drop`: so many bytes will not be passed on. */
  constructor(sink: CallSink, head: CallHead, drop: (bytes: number) => void) {
    this.#sink = sink
    this.#isHead = head.method === 'HEAD'
    this.#isPlain = isPlain(head)
    this.#drop = drop
  }

  onHead(kitStatus: number, headers: readonly string[]): void {
    this.#kitStatus = kitStatus
    if (kitStatus === 502 || kitStatus === 504) this.#state = 'failed'
    else if (kitStatus === 200) this.#begin(headers)
    else this.#fail('violation', `The kit answered ${kitStatus}, and may say 200, 502 or 504.`)
  }

  onData(chunk: Buffer): void {
    if (this.#state === 'passing') return this.#sink.onData(chunk)
    this.#drop(chunk.length)
    if (this.#state !== 'failed' || this.#detailBytes > DETAIL_BYTES_MAX) return
    this.#detail.push(chunk)
    this.#detailBytes += chunk.length
  }

  onDrain(): void {
    this.#sink.onDrain?.()
  }

  onEnd(): void {
    if (this.#state === 'failed')
      this.#fail(
        'error',
        this.#kitStatus === 504 ? "The kit says that the call's time is over." : this.#message(),
      )
    else if (this.#state !== 'over') this.#sink.onEnd()
  }

  onFail(failure: Parameters<CallSink['onFail']>[0]): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#sink.onFail(failure)
  }

  #begin(headers: readonly string[]): void {
    if (this.#isPlain)
      return this.#sink.onHead(
        200,
        headers.filter((_, i) => !NOT_PASSED_ON.has(headers[i & ~1]!)),
      )
    const passed: string[] = []
    let status = 200
    let length: string | undefined
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!
      const value = headers[i + 1]!
      if (name === 'fn-http-status') status = Number(value)
      else if (name === 'content-type') passed.push(name, value)
      else if (name === 'content-length') length = value
      else if (name.startsWith(PREFIX) && name.length > PREFIX.length) {
        const own = name.slice(PREFIX.length)
        if (!NOT_PASSED_ON.has(own) && own !== 'content-type') passed.push(own, value)
      }
    }
    if (!Number.isInteger(status) || status < 200 || status > 599)
      return this.#fail('violation', 'The answer has an Fn-Http-Status that is none.')
    const isBodiless = status === 204 || status === 304
    if (isBodiless || this.#isHead) this.#state = 'dropping'
    if (length !== undefined && !isBodiless) passed.push('content-length', length)
    this.#sink.onHead(status, passed)
  }

  #fail(kind: 'error' | 'violation', message: string): void {
    this.onFail({ kind, message })
  }

  /** What the kit tells of the exception; its stack is in the log, where kits write it. */
  #message(): string {
    const text = Buffer.concat(this.#detail).toString('utf8', 0, DETAIL_BYTES_MAX)
    try {
      const { detail } = JSON.parse(text) as { detail?: unknown }
      if (typeof detail === 'string') return detail
    } catch {
      // Other kits say it in other words.
    }
    return text === '' ? 'The function failed, and its kit does not say how.' : text
  }
}
