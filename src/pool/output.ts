import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { Clock } from '../core/index.ts'

const LINE_CHARACTERS_MAX = 16 * 1024 // a longer line is told in pieces
const LINE_OVERHEAD_BYTES = 64 // what a line costs us beside its text; else a million empty lines would be free
const PIECE_BYTES = 64 * 1024
const PIECE_PAUSE_MS = 50 // so a process that floods its output costs us at most some 1.3 MB/s of reading

/** How much output is kept of one call, or of one instance outside calls. */
export class OutputBudget {
  #left: number
  #toldTruncated = false

  constructor(bytesMax: number) {
    this.#left = bytesMax
  }

  /** Nothing more is kept, and that has been said. */
  get isSpent(): boolean {
    return this.#toldTruncated
  }

  /** `keep`: within the budget; `mark`: just went over it, say so once; `drop`: was over it before. */
  take(text: string): 'keep' | 'mark' | 'drop' {
    this.#left -= text.length + LINE_OVERHEAD_BYTES
    if (this.#left >= 0) return 'keep'
    if (this.#toldTruncated) return 'drop'
    this.#toldTruncated = true
    return 'mark'
  }
}

/** Calls `onLine` for each line of `text`, without line ends; a very long line comes in pieces. */
export function eachLine(text: string, onLine: (line: string) => void): void {
  let start = 0
  while (start < text.length) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    if (end === start) onLine('')
    for (let at = start; at < end; at += LINE_CHARACTERS_MAX)
      onLine(text.slice(at, Math.min(end, at + LINE_CHARACTERS_MAX)))
    start = end + 1
  }
}

/**
 * Reads what a process prints itself and tells whole lines. Reading is slowed down to a bounded rate: a process that
 * writes faster waits in its own `write`, and nobody else does.
 */
export function readLines(stream: Readable, clock: Clock, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let bytesUntilPause = PIECE_BYTES
  stream.on('data', (chunk: Buffer) => {
    rest += decoder.write(chunk)
    const newline = rest.lastIndexOf('\n')
    const whole = rest.length > LINE_CHARACTERS_MAX ? rest.length : newline + 1
    if (whole > 0) {
      const lines = rest.slice(0, whole)
      rest = rest.slice(whole)
      eachLine(lines, onLine)
    }
    bytesUntilPause -= chunk.length
    if (bytesUntilPause > 0) return
    bytesUntilPause = PIECE_BYTES
    stream.pause()
    clock.after(PIECE_PAUSE_MS, () => stream.resume())
  })
  stream.on('end', () => {
    if (rest !== '') eachLine(rest, onLine)
  })
  stream.on('error', () => {}) // the pipe of a killed process may break; its exit is told elsewhere
}
