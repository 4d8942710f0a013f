import { AtelierError } from './errors.ts'

/**
 * Takes a chunked body apart (RFC 9112, 7.1), in pieces as they come. Strict: sizes are hexadecimal digits alone, lines
 * end in CR LF. Extensions and trailers are checked for their size and dropped.
 */
export class ChunkDecoder {
  isDone = false
  #state: State = 'size'
  #size = 0
  #digits = 0
  /** Of extensions and trailers, which nobody wants. */
  #overhead = 0
  #isLineEmpty = true
  readonly #overheadMax: number

  constructor(overheadMax: number) {
    this.#overheadMax = overheadMax
  }

  /**
   * Decodes from `from` on, gives data to `onData`, and returns where it stopped: the end of `bytes`, or of the body.
   * Throws INVALID_INPUT for what is malformed, BODY_TOO_LARGE for too much beside the data.
   */
  decode(bytes: Buffer, from: number, onData: (data: Buffer) => void): number {
    let at = from
    while (at < bytes.length && !this.isDone) {
      if (this.#state === 'data') {
        const end = Math.min(at + this.#size, bytes.length)
        this.#size -= end - at
        if (this.#size === 0) this.#state = 'data-cr'
        onData(bytes.subarray(at, end))
        at = end
      } else this.#step(bytes[at++]!)
    }
    return at
  }

  #step(byte: number): void {
    switch (this.#state) {
      case 'size':
        this.#readSize(byte)
        return
      case 'extension':
        this.#spend()
        if (byte === CR) this.#state = 'size-lf'
        else if (isControl(byte)) throw malformed()
        return
      case 'size-lf':
        if (byte !== LF) throw malformed()
        this.#digits = 0
        this.#state = this.#size === 0 ? 'trailer' : 'data'
        return
      case 'data-cr':
        if (byte !== CR) throw malformed()
        this.#state = 'data-lf'
        return
      case 'data-lf':
        if (byte !== LF) throw malformed()
        this.#state = 'size'
        return
      case 'trailer':
        this.#spend()
        if (byte === CR) this.#state = 'trailer-lf'
        else if (isControl(byte)) throw malformed()
        else this.#isLineEmpty = false
        return
      case 'trailer-lf':
        if (byte !== LF) throw malformed()
        this.isDone = this.#isLineEmpty
        this.#isLineEmpty = true
        this.#state = 'trailer'
        return
      case 'data':
        return
    }
  }

  #readSize(byte: number): void {
    const digit = digitOf(byte)
    if (digit >= 0) {
      // 12 digits are 256 TiB; more would leave the numbers that are exact.
      if (++this.#digits > 12) throw malformed()
      this.#size = this.#size * 16 + digit
    } else if (this.#digits === 0) throw malformed()
    else if (byte === CR) this.#state = 'size-lf'
    else if (byte === SEMICOLON) this.#state = 'extension'
    else throw malformed()
  }

  #spend(): void {
    if (++this.#overhead > this.#overheadMax)
      throw new AtelierError(
        'BODY_TOO_LARGE',
        'The chunk extensions and trailers are larger than what is taken here.',
      )
  }
}

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'trailer-lf'

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09) || byte === 0x7f
}

function malformed(): AtelierError {
  return new AtelierError('INVALID_INPUT', 'The chunked body is malformed.')
}
