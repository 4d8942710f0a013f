import { type AnswerStart, readPrelude } from './answer.ts'

const PRELUDE_BYTES_MAX = 64 * 1024
const END = Buffer.alloc(8) // eight bytes of zero stand between prelude and body

/** Finds the head of a streamed HTTP answer in its first pieces. */
export class PreludeReader {
  #kept: Buffer = Buffer.alloc(0)

  /** The head and what follows it, once it is complete; `undefined` before. A string says what is wrong with it. */
  read(chunk: Buffer): { readonly start: AnswerStart; readonly rest: Buffer } | string | undefined {
    this.#kept = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk])
    const end = this.#kept.indexOf(END)
    if (end < 0 ? this.#kept.length > PRELUDE_BYTES_MAX + END.length : end > PRELUDE_BYTES_MAX)
      return `more than ${PRELUDE_BYTES_MAX} bytes before the end of its prelude`
    if (end < 0) return undefined
    const start = readPrelude(this.#kept.subarray(0, end))
    return typeof start === 'string' ? start : { start, rest: this.#kept.subarray(end + END.length) }
  }
}
