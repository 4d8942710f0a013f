import { AtelierError, ownText } from '../../core/index.ts'
import type { FieldsMemo } from '../front.ts'
import type { RouterLimits } from '../limits.ts'

/** The head of a request, with everything that decides about the connection. */
export interface Head {
  readonly method: string
  readonly target: string
  readonly isOld: boolean
  readonly isWebSocket: boolean
  readonly fields: HeadFields
}

/** What the header fields say. */
export interface HeadFields {
  /** All that follows the request line. */
  readonly text: string
  readonly rawHeaders: readonly string[]
  /** Of the request line they came with. */
  readonly isOld: boolean
  /** Bytes of body; `undefined` for chunked. */
  readonly bodyLength: number | undefined
  readonly keepsAlive: boolean
  readonly expectsContinue: boolean
  readonly isUpgrade: boolean
  /** Not for long fields: an idle connection holds what it said last. */
  readonly memo: FieldsMemo | undefined
}

/**
 * Reads a head: all bytes before the empty line, as Latin-1. Strict (RFC 9112): where two readers could differ, it is
 * refused. Throws INVALID_INPUT, EXPECTATION_FAILED, URI_TOO_LONG, HEADERS_TOO_LARGE, HTTP_VERSION_UNSUPPORTED.
 *
 * `before`: the fields of the last request; clients mostly repeat them to the letter, and need not be read again then.
 */
export function readHead(text: string, limits: RouterLimits, before?: HeadFields): Head {
  const lineEnd = text.indexOf('\r\n')
  const from = lineEnd < 0 ? text.length : lineEnd + 2
  const isRepeated =
    before?.memo !== undefined && before.text.length === text.length - from && text.endsWith(before.text)
  // One look at all of it: no control characters, and no line end but CR LF.
  if (!isRepeated && FORBIDDEN.test(text))
    throw malformed('a control character, or a line that does not end in CR LF')
  const line = REQUEST_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd))
  if (!line) throw malformed('a request line that is not "method target HTTP/1.1"')
  const version = line[3]!
  if (version !== '1.1' && version !== '1.0')
    throw new AtelierError('HTTP_VERSION_UNSUPPORTED', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.')
  if (line[1] === 'CONNECT')
    throw new AtelierError('NOT_IMPLEMENTED', 'The method CONNECT is not spoken here.')
  const target = line[2]!
  if (target.length > limits.targetBytesMax)
    throw new AtelierError(
      'URI_TOO_LONG',
      `The address is longer than the ${limits.targetBytesMax} bytes taken here.`,
    )
  const method = line[1]!
  const isOld = version === '1.0'
  const fields = isRepeated && before.isOld === isOld ? before : new Fields(isOld).read(text, from, limits)
  const isWebSocket = fields.isUpgrade && method === 'GET' && !isOld && fields.bodyLength === 0
  return { method, target, isOld, isWebSocket, fields }
}

/** The head as it was read, with its empty line, in Latin-1. */
export function requestText({ method, target, isOld, fields }: Head): string {
  return `${method} ${target} HTTP/1.${isOld ? 0 : 1}\r\n${fields.text}${fields.text === '' ? '' : '\r\n'}\r\n`
}

class Fields {
  readonly #isOld: boolean
  #length: number | undefined
  #coding: string | undefined
  #hasHost = false
  #connection: string | undefined
  #upgrade: string | undefined
  #expectsContinue = false

  constructor(isOld: boolean) {
    this.#isOld = isOld
  }

  read(text: string, from: number, limits: RouterLimits): HeadFields {
    const rawHeaders: string[] = []
    for (let at = from; at < text.length; ) {
      const next = text.indexOf('\r\n', at)
      const end = next < 0 ? text.length : next
      const colon = text.indexOf(':', at)
      if (colon < 0 || colon > end) throw malformed('a header line without a colon')
      const name = text.slice(at, colon)
      if (!isToken(name)) throw malformed('a header name that is not a token')
      const value = valueOf(text, colon + 1, end)
      rawHeaders.push(name, value)
      this.#notice(name, value)
      at = end + 2
    }
    if (rawHeaders.length > limits.headersMax * 2)
      throw new AtelierError(
        'HEADERS_TOO_LARGE',
        `There are more than the ${limits.headersMax} header fields taken here.`,
      )
    return this.#conclude(text.slice(from), rawHeaders)
  }

  #notice(name: string, value: string): void {
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') this.#hasHost = true
        return
      case 6:
        if (name.toLowerCase() === 'expect') this.#noticeExpect(value)
        return
      case 7:
        if (name.toLowerCase() === 'upgrade') this.#upgrade = value
        return
      case 10:
        if (name.toLowerCase() === 'connection')
          this.#connection = this.#connection === undefined ? value : `${this.#connection},${value}`
        return
      case 14:
        if (name.toLowerCase() === 'content-length') this.#noticeLength(value)
        return
      case 17:
        if (name.toLowerCase() === 'transfer-encoding')
          this.#coding = this.#coding === undefined ? value : `${this.#coding},${value}`
    }
  }

  #noticeExpect(value: string): void {
    if (value.toLowerCase() !== '100-continue')
      throw new AtelierError('EXPECTATION_FAILED', 'Only the expectation 100-continue can be met.')
    this.#expectsContinue = !this.#isOld
  }

  #noticeLength(value: string): void {
    if (this.#length !== undefined || !LENGTH.test(value))
      throw malformed('a Content-Length that is not one number')
    this.#length = Number(value)
  }

  #conclude(text: string, rawHeaders: readonly string[]): HeadFields {
    const coding = this.#coding
    if (coding !== undefined) {
      if (this.#length !== undefined) throw malformed('Transfer-Encoding beside Content-Length')
      if (this.#isOld || !LAST_IS_CHUNKED.test(coding))
        throw malformed('a Transfer-Encoding that does not end in "chunked"')
    }
    if (!this.#isOld && !this.#hasHost)
      throw new AtelierError('INVALID_INPUT', 'A request of HTTP/1.1 must have a Host header.')
    const connection = this.#connection === undefined ? '' : this.#connection.toLowerCase()
    const bodyLength = coding === undefined ? (this.#length ?? 0) : undefined
    return {
      text,
      rawHeaders,
      isOld: this.#isOld,
      bodyLength,
      keepsAlive: this.#isOld ? lists(connection, 'keep-alive') : !lists(connection, 'close'),
      expectsContinue: this.#expectsContinue && bodyLength !== 0,
      isUpgrade:
        this.#upgrade !== undefined &&
        this.#upgrade.toLowerCase() === 'websocket' &&
        lists(connection, 'upgrade'),
      memo: text.length <= MEMO_LENGTH_MAX ? { fields: undefined } : undefined,
    }
  }
}

/** The error for bytes that are more than a head may be. */
export function headTooLarge(bytes: Buffer, { headBytesMax, targetBytesMax }: RouterLimits): AtelierError {
  return bytes.indexOf(LF) < 0 && bytes.length > targetBytesMax
    ? new AtelierError('URI_TOO_LONG', `The address is longer than the ${targetBytesMax} bytes taken here.`)
    : new AtelierError('HEADERS_TOO_LARGE', `The head is larger than the ${headBytesMax} bytes taken here.`)
}

const LF = 0x0a
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/
const REQUEST_LINE = /^([\w!#$%&'*+.^`|~-]{1,32}) ([\x21-\x7e]+) HTTP\/(\d\.\d)$/
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
const LENGTH = /^\d{1,15}$/
const LAST_IS_CHUNKED = /^(?:(?!chunked\s*,)[^,]*,)*\s*chunked\s*$/i
const MEMO_LENGTH_MAX = 2_048
const SPACE = 0x20
const TAB = 0x09

// Clients repeat a few dozen names; one who makes up new ones only misses the cache.
const NAMES_MAX = 1_024
const NAME_LENGTH_MAX = 64
const names = new Set<string>()

function isToken(name: string): boolean {
  if (names.has(name)) return true
  if (!TOKEN.test(name)) return false
  if (names.size < NAMES_MAX && name.length <= NAME_LENGTH_MAX) names.add(ownText(name))
  return true
}

/** Without the spaces and tabs around it. */
function valueOf(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function lists(connection: string, option: string): boolean {
  if (connection === option) return true
  return (
    connection !== '' &&
    connection.includes(option) &&
    connection.split(',').some(item => item.trim() === option)
  )
}

function malformed(what: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `This is not a well-formed HTTP/1.1 request: it has ${what}.`)
}
