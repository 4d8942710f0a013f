import { StringDecoder } from 'node:string_decoder'
import type { BuildEvent } from './build.ts'

const TAIL_CHARACTERS_MAX = 16 * 1024
const PIECES_MAX = 4096
const CUT = '\n[… the log is cut here: it is longer than is kept …]\n'

/**
 * What a build prints: its beginning (half of `bytesMax`) and its end (the other half) are kept, and as much is passed on as
 * events. Text of a build is a tenant's: it is bounded however it comes.
 */
export class BuildLog {
  readonly #halfMax: number
  readonly #emit: (event: BuildEvent) => void
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  #head = ''
  #rest: string[] = []
  #restLength = 0
  #cut = false
  #emitted = 0
  #tail = ''

  constructor(bytesMax: number, emit: (event: BuildEvent) => void) {
    this.#halfMax = Math.floor(bytesMax / 2)
    this.#emit = emit
  }

  stage(stage: 'unpack' | 'dependencies' | 'check', detail: string): void {
    this.#emit({ kind: 'stage', stage, detail })
    this.#keep(`== ${detail}\n`)
    this.#tail = ''
  }

  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    const text = this.#decoders[stream]
      .write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      .replaceAll('\0', '\ufffd') // no database keeps a NUL in a text
    if (text === '') return
    this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS_MAX)
    this.#keep(text)
    const most = 2 * this.#halfMax
    if (this.#emitted >= most) return
    this.#emitted += text.length
    this.#emit({ kind: 'log', stream, text: this.#emitted < most ? text : CUT })
  }

  /** The end of what the running step has printed so far. */
  get tail(): string {
    return this.#tail
  }

  toString(): string {
    this.#trim()
    return this.#head + (this.#cut ? CUT : '') + this.#rest.join('')
  }

  #keep(text: string): void {
    const room = this.#halfMax - this.#head.length
    if (room > 0) this.#head += text.slice(0, room)
    if (text.length <= room) return
    const rest = text.slice(Math.max(room, 0))
    this.#rest.push(rest)
    this.#restLength += rest.length
    if (this.#restLength > 2 * this.#halfMax || this.#rest.length > PIECES_MAX) this.#trim()
  }

  #trim(): void {
    const joined = this.#rest.join('')
    this.#cut ||= joined.length > this.#halfMax
    this.#rest = [joined.slice(-this.#halfMax)]
    this.#restLength = this.#rest[0]!.length
  }
}
