import { PassThrough, type Readable } from 'node:stream'

const TAIL_BYTES_MAX = 4096
const CLOSE_MS_MAX = 200 // for a descriptor that outlives its process, which only happens without a sandbox

/** Passes a stream on, with back-pressure, and remembers the end of it. */
export class Tail {
  readonly stream = new PassThrough()
  readonly #source: Readable
  #kept = Buffer.alloc(0)

  constructor(source: Readable) {
    this.#source = source
    source.on('data', (piece: Buffer) => {
      this.#kept = Buffer.concat([this.#kept, piece]).subarray(-TAIL_BYTES_MAX)
    })
    source.pipe(this.stream)
  }

  /** The end of what was written, once the writer is gone: at most a pipe full is still to come, reader or not. */
  async finish(): Promise<string> {
    if (!this.#source.readableEnded && !this.#source.destroyed) {
      this.#source.unpipe(this.stream)
      this.#source.on('data', piece => this.stream.write(piece))
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, CLOSE_MS_MAX)
        this.#source.once('close', () => {
          clearTimeout(timer)
          resolve()
        })
        this.#source.resume()
      })
      this.stream.end()
    }
    return this.#kept.toString('utf8')
  }
}
