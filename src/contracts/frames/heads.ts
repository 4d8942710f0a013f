/** The head texts of CALL and RESULT; see docs/frames.md, "A call". Pure. */
import { AtelierError, HOP_BY_HOP, ownText } from '../../core/index.ts'
import type { CallHead } from '../contract.ts'
import { headerLines } from '../header-block.ts'

export interface ResultHead {
  readonly status: number
  /** Name, value, …; hop-by-hop headers and `content-length` are gone. */
  readonly headers: readonly string[]
  /** What `content-length` said. */
  readonly contentLength: number | undefined
}

const DROPPED: ReadonlySet<string> = new Set(HOP_BY_HOP)

/** The head of a CALL. Throws INVALID_INPUT when a part of it holds a line break, which would forge a header. */
export function callHeadText({ method, target, id, deadline, headers, block, webSocket }: CallHead): string {
  if (target.includes('\n') || method.includes('\n'))
    throw new AtelierError('INVALID_INPUT', 'The target of this call holds a line break.')
  const lines = headerLines(headers)
  const upgrade = webSocket ? '\nupgrade: websocket' : ''
  return `${method} ${target}\n${id}\n${deadline}${block?.text ?? ''}${lines}${upgrade}`
}

// A header value as RFC 9110 has it, read as Latin-1, line by line.
const HEAD_TEXT = /^[\t\n\x20-\x7e\x80-\xff]*$/
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const STATUS = /^[2-5][0-9][0-9]$/

/** Names that were found right before: `true` to pass on, `false` to drop. */
const knownNames = new Map<string, boolean>()
const KNOWN_NAMES_MAX = 1_000
const KNOWN_LENGTH_MAX = 64

/** Reads the head of a RESULT that hostile code may have written; a string says what is wrong with it. */
export function parseResultHead(text: string, webSocket: boolean): ResultHead | string {
  if (!HEAD_TEXT.test(text)) return 'a head with characters that no header may hold'
  let end = text.indexOf('\n')
  const statusText = end === -1 ? text : text.slice(0, end)
  if (!STATUS.test(statusText) && !(webSocket && statusText === '101')) {
    return `the status ${JSON.stringify(statusText.slice(0, 20))}`
  }
  const headers: string[] = []
  let contentLength: number | undefined
  while (end !== -1) {
    const start = end + 1
    end = text.indexOf('\n', start)
    const stop = end === -1 ? text.length : end
    const colon = text.indexOf(':', start)
    if (colon === -1 || colon >= stop) return 'a header line without a colon'
    const name = text.slice(start, colon)
    const value = text.slice(text.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1, stop)
    if (name === 'content-length') {
      if (!/^[0-9]{1,15}$/.test(value)) return 'a content-length that is not a number'
      if (contentLength !== undefined && contentLength !== Number(value)) return 'two content-lengths'
      contentLength = Number(value)
      continue
    }
    let kept = knownNames.get(name)
    if (kept === undefined) {
      if (!HEADER_NAME.test(name)) return `the header name ${JSON.stringify(name.slice(0, 80))}`
      kept = !DROPPED.has(name)
      if (knownNames.size < KNOWN_NAMES_MAX && name.length <= KNOWN_LENGTH_MAX)
        knownNames.set(ownText(name), kept)
    }
    if (kept) headers.push(name, value)
  }
  return { status: Number(statusText), headers, contentLength }
}

/** Reads the heads of one instance's answers. Most are those of the answer before, and are not read again. */
export class ResultHeads {
  #text: string | undefined
  #head: ResultHead | undefined
  #length: number | undefined
  #headers: readonly string[] | undefined

  /** As `parseResultHead`. */
  read(text: string, webSocket: boolean): ResultHead | string {
    if (text === this.#text && !webSocket) return this.#head!
    const head = parseResultHead(text, webSocket)
    if (typeof head === 'string' || webSocket || text.length > KEPT_CHARACTERS_MAX) return head
    this.#text = text
    this.#head = head
    this.#headers = undefined
    return head
  }

  /** The headers with this content-length: the very same array for the same ones, so that who checks them may know it. */
  withLength(head: ResultHead, length: number): readonly string[] {
    if (head === this.#head && length === this.#length && this.#headers) return this.#headers
    const headers = [...head.headers, 'content-length', String(length)]
    if (head === this.#head) {
      this.#length = length
      this.#headers = headers
    }
    return headers
  }
}

const KEPT_CHARACTERS_MAX = 2_048
