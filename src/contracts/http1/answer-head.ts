/** Heads of answers that hostile servers write. Pure. */
import { HOP_BY_HOP, ownText } from '../../core/index.ts'

export interface AnswerHead {
  readonly status: number
  /** Name, value, …; lower-case names; hop-by-hop fields, `content-length` and `transfer-encoding` are gone. */
  readonly headers: readonly string[]
  /** Bytes of body; `chunked`; or until the connection ends. What a request or status without a body makes of it is not decided here. */
  readonly length: number | 'chunked' | 'close'
  readonly keepsAlive: boolean
}

export const HEAD_BYTES_MAX = 64 * 1024
const FIELDS_MAX = 256

/** Reads all bytes before the empty line, as Latin-1. A string says what is wrong with them. */
export function readAnswerHead(text: string): AnswerHead | string {
  if (ODD_HEAD.test(text)) return 'a head with characters that no header may hold'
  const lines = text.split('\n')
  if (lines.length - 1 > FIELDS_MAX) return `more than ${FIELDS_MAX} headers`
  const status = STATUS_LINE.exec(withoutCr(lines[0]!))
  if (status === null) return 'something that is no answer of HTTP/1.1'
  const fields = new Fields(status[1] === '0')
  for (let i = 1; i < lines.length; i++) {
    const line = withoutCr(lines[i]!)
    const colon = line.indexOf(':')
    if (colon <= 0) return 'a header line without a name'
    const name = nameOf(line.slice(0, colon))
    if (name === undefined) return `the header name ${JSON.stringify(line.slice(0, Math.min(colon, 80)))}`
    const problem = fields.add(name, line.slice(colon + 1).trim())
    if (problem !== undefined) return problem
  }
  return fields.conclude(Number(status[2]))
}

// A CR only before an LF: alone it may be a line break for others.
// oxlint-disable-next-line no-control-regex
const ODD_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: .*)?$/
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
const LENGTH = /^[0-9]{1,15}$/
const DROPPED: ReadonlySet<string> = new Set(HOP_BY_HOP)

function withoutCr(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

/** Names that were found right before, in lower case. */
const knownNames = new Map<string, string>()
const KNOWN_NAMES_MAX = 1_000
const KNOWN_LENGTH_MAX = 64

function nameOf(text: string): string | undefined {
  const known = knownNames.get(text)
  if (known !== undefined) return known
  if (!TOKEN.test(text)) return undefined
  const name = text.toLowerCase()
  if (knownNames.size < KNOWN_NAMES_MAX && text.length <= KNOWN_LENGTH_MAX)
    knownNames.set(ownText(text), ownText(name))
  return name
}

class Fields {
  readonly #isOld: boolean
  #headers: string[] = []
  #length: number | undefined
  #isChunked = false
  #connection = ''

  constructor(isOld: boolean) {
    this.#isOld = isOld
  }

  add(name: string, value: string): string | undefined {
    if (name === 'content-length') {
      if (!LENGTH.test(value)) return 'a content-length that is not a number'
      if (this.#length !== undefined && this.#length !== Number(value)) return 'two content-lengths'
      this.#length = Number(value)
    } else if (name === 'transfer-encoding') {
      if (value.toLowerCase() !== 'chunked' || this.#isChunked)
        return 'a transfer-encoding that is not "chunked"'
      this.#isChunked = true
    } else if (name === 'connection') this.#connection += `,${value.toLowerCase()}`
    else if (!DROPPED.has(name)) this.#headers.push(name, value)
  }

  conclude(status: number): AnswerHead | string {
    // Two readers could differ about where it ends (RFC 9112, 6.1).
    if (this.#isChunked && this.#length !== undefined) return 'a content-length beside a transfer-encoding'
    const options = this.#connection.split(',').map(option => option.trim())
    const listed = options.filter(option => option !== '' && option !== 'close' && option !== 'keep-alive')
    if (listed.length > 0)
      this.#headers = this.#headers.filter((_, i) => !listed.includes(this.#headers[i & ~1]!))
    return {
      status,
      headers: this.#headers,
      length: this.#isChunked ? 'chunked' : (this.#length ?? 'close'),
      keepsAlive: this.#isOld ? options.includes('keep-alive') : !options.includes('close'),
    }
  }
}
