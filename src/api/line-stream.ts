import { PassThrough } from 'node:stream'

const WAITING_BYTES_MAX = 4 * 1024 * 1024 // what a slow reader may leave lying before lines are left out

/** An answer of JSON lines that are said as they happen; blank lines keep a quiet one alive. */
export class LineStream extends PassThrough {
  readonly #heartbeat: NodeJS.Timeout
  #leftOut = 0

  constructor(heartbeatMs: number) {
    super()
    this.on('error', () => {}) // it may fail before the framework listens
    this.write('\n') // makes the head leave at once
    this.#heartbeat = setInterval(() => {
      if (this.writableLength === 0) this.write('\n')
    }, heartbeatMs)
    this.#heartbeat.unref()
    this.once('close', () => clearInterval(this.#heartbeat))
  }

  /** A line; one that is not `needed` is left out, and counted, when the reader is far behind. */
  say(value: object, needed: boolean): void {
    if (this.destroyed || this.writableEnded) return
    if (!needed && this.readableLength + this.writableLength > WAITING_BYTES_MAX) {
      this.#leftOut++
      return
    }
    if (this.#leftOut > 0) {
      this.write(
        `${JSON.stringify({ kind: 'warning', text: `${this.#leftOut} lines were left out: they came faster than they were read` })}\n`,
      )
      this.#leftOut = 0
    }
    this.write(`${JSON.stringify(value)}\n`)
  }

  /** The last line. */
  finish(value: object): void {
    clearInterval(this.#heartbeat)
    this.say(value, true)
    if (!this.destroyed) this.end()
  }
}
