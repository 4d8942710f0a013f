import { type Duplex, PassThrough } from 'node:stream'

const HEAD_BYTES = 8
const STDERR = 2
const TAIL_BYTES_MAX = 4096

/** The two streams that an engine sends over one, each piece behind a head of kind and length. */
export class Demultiplexer {
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  /** Resolves when the container's output has ended, or the connection to it. */
  readonly ended: Promise<void>
  #rest: Buffer = Buffer.alloc(0)
  /** Of the piece that is being read: bytes to come, and whose they are. */
  #left = 0
  #target = this.stdout
  #tail = Buffer.alloc(0)

  constructor(source: Duplex) {
    for (const stream of [this.stdout, this.stderr]) {
      stream.on('error', () => {})
      stream.on('drain', () => source.resume())
    }
    source.on('data', (chunk: Buffer) => {
      if (!this.#take(chunk)) source.pause()
    })
    this.ended = new Promise(resolve => {
      const end = () => {
        this.stdout.end()
        this.stderr.end()
        resolve()
      }
      source.once('end', end)
      source.once('close', end)
    })
  }

  /** The last 4 KiB of stderr. */
  get tail(): string {
    return this.#tail.toString('utf8')
  }

  /** Whether there is room for more. */
  #take(chunk: Buffer): boolean {
    let at = 0
    let room = true
    while (at < chunk.length) {
      if (this.#left === 0) {
        const wanted = HEAD_BYTES - this.#rest.length
        this.#rest = Buffer.concat([this.#rest, chunk.subarray(at, at + wanted)])
        at += wanted
        if (this.#rest.length < HEAD_BYTES) break
        this.#target = this.#rest[0] === STDERR ? this.stderr : this.stdout
        this.#left = this.#rest.readUInt32BE(4)
        this.#rest = Buffer.alloc(0)
        continue
      }
      const piece = chunk.subarray(at, at + this.#left)
      at += piece.length
      this.#left -= piece.length
      if (this.#target === this.stderr)
        this.#tail = Buffer.concat([this.#tail, piece]).subarray(-TAIL_BYTES_MAX)
      room = this.#target.write(piece) && room
    }
    return room
  }
}
