import { AtelierError, ChunkDecoder } from '../../core/index.ts'
import { type AnswerHead, HEAD_BYTES_MAX, readAnswerHead } from './answer-head.ts'

/** What a reader finds, in the order in which it comes. */
export interface AnswerListener {
  onHead(head: AnswerHead): void
  onData(chunk: Buffer): void
  /** Nothing of the answer follows. `isReusable`: the connection may carry another. */
  onEnd(isReusable: boolean): void
  /** The answer breaks the contract: it sent `problem`. Nothing follows. */
  onProblem(problem: string): void
}

const INTERIM_MAX = 16 // answers with a status below 200 before the real one
const OVERHEAD_BYTES_MAX = 64 * 1024 // of chunk extensions and trailers

/** Reads one connection's answers, one after the other, in pieces as they come. */
export class AnswerReader {
  #listener: AnswerListener | undefined
  #isHeadRequest = false
  #state: 'idle' | 'head' | 'length' | 'chunked' | 'close' = 'idle'
  #kept: Buffer | undefined
  #left = 0
  #chunks: ChunkDecoder | undefined
  #keepsAlive = false
  #interim = 0
  #lastText = ''
  #lastHead: AnswerHead | undefined

  /** Begins with the next answer. */
  expect(listener: AnswerListener, isHeadRequest: boolean): void {
    this.#listener = listener
    this.#isHeadRequest = isHeadRequest
    this.#state = 'head'
    this.#interim = 0
  }

  /** Bytes that came. */
  read(chunk: Buffer): void {
    let rest: Buffer | undefined = chunk
    while (rest !== undefined && rest.length > 0 && this.#state !== 'idle') rest = this.#step(rest)
    // More than was asked for: nobody knows whose it is, so nobody gets it, and the connection ends.
    if (rest !== undefined && rest.length > 0) this.#keepsAlive = false
  }

  /** The connection has ended. */
  end(): void {
    if (this.#state === 'close') this.#finish(false)
    else if (this.#state !== 'idle')
      this.#fail(
        this.#state === 'head' ? 'nothing more before its answer was there' : 'less than its answer promised',
      )
  }

  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'length': {
        const piece = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
        this.#left -= piece.length
        const rest = bytes.length > piece.length ? bytes.subarray(piece.length) : undefined
        this.#listener?.onData(piece)
        if (this.#left === 0 && this.#state === 'length') this.#finish(this.#keepsAlive && rest === undefined)
        return rest
      }
      case 'chunked':
        return this.#readChunks(bytes)
      case 'close':
        this.#listener?.onData(bytes)
        return undefined
      case 'idle':
        return bytes
    }
  }

  #readHead(bytes: Buffer): Buffer | undefined {
    const all: Buffer = this.#kept === undefined ? bytes : Buffer.concat([this.#kept, bytes])
    const [end, next] = endOfHead(all)
    if (end < 0 || end > HEAD_BYTES_MAX) {
      if (all.length > HEAD_BYTES_MAX) return this.#fail(`more than ${HEAD_BYTES_MAX} bytes of headers`)
      this.#kept = all
      return undefined
    }
    this.#kept = undefined
    const head = this.#headOf(all.toString('latin1', 0, end))
    if (typeof head === 'string') return this.#fail(head)
    const rest = all.subarray(next)
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interim > INTERIM_MAX) return this.#fail('interim answers without end')
      return rest
    }
    this.#begin(head, rest.length > 0)
    return rest
  }

  /** Most heads are those of the answer before, and are not read again. */
  #headOf(text: string): AnswerHead | string {
    if (this.#lastHead !== undefined && text === this.#lastText) return this.#lastHead
    const head = readAnswerHead(text)
    if (typeof head === 'string') return head
    this.#lastText = text
    this.#lastHead = head
    return head
  }

  #begin(head: AnswerHead, hasMore: boolean): void {
    this.#keepsAlive = head.keepsAlive
    const isBodiless = this.#isHeadRequest || head.status === 204 || head.status === 304
    const isEmpty = isBodiless || head.length === 0
    if (!isEmpty) {
      if (head.length === 'chunked') this.#chunks = new ChunkDecoder(OVERHEAD_BYTES_MAX)
      else if (head.length !== 'close') this.#left = head.length
      this.#state = typeof head.length === 'number' ? 'length' : head.length
    }
    this.#listener?.onHead(head)
    if (isEmpty && this.#state === 'head') this.#finish(this.#keepsAlive && !hasMore)
  }

  #readChunks(bytes: Buffer): Buffer | undefined {
    const chunks = this.#chunks!
    let at: number
    try {
      at = chunks.decode(bytes, 0, data => this.#listener?.onData(data))
    } catch (error) {
      if (error instanceof AtelierError) return this.#fail('a chunked body that is malformed')
      throw error
    }
    const rest = at < bytes.length ? bytes.subarray(at) : undefined
    if (chunks.isDone && this.#state === 'chunked') this.#finish(this.#keepsAlive && rest === undefined)
    return rest
  }

  #finish(isReusable: boolean): void {
    const listener = this.#listener
    this.#rest()
    listener?.onEnd(isReusable)
  }

  #fail(problem: string): undefined {
    const listener = this.#listener
    this.#rest()
    listener?.onProblem(problem)
  }

  #rest(): void {
    this.#state = 'idle'
    this.#listener = undefined
    this.#kept = undefined
    this.#chunks = undefined
  }
}

/** Where a head ends, and what follows it begins. Lines may end in LF alone, as small programs write them. */
function endOfHead(bytes: Buffer): [number, number] {
  const strict = bytes.indexOf('\r\n\r\n')
  const loose = bytes.indexOf('\n\n')
  if (strict >= 0 && (loose < 0 || strict < loose)) return [strict, strict + 4]
  return loose >= 0 ? [loose, loose + 2] : [-1, -1]
}
