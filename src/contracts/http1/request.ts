/** Requests as HTTP/1.1 texts. Pure. */
import { AtelierError } from '../../core/index.ts'
import type { CallHead } from '../contract.ts'
import type { HeaderBlock } from '../header-block.ts'

/** How a request's body is told from what follows it. */
export type Framing = 'none' | 'chunked' | number

export interface RequestLine {
  readonly method: string
  readonly target: string
  /** More fields, name, value, …; they win over those of the call. */
  readonly extra: readonly string[]
  /** Instead of those of the call. */
  readonly fields?: readonly string[]
}

/** What is sent of a request before its body. */
export interface RequestText {
  readonly method: string
  readonly text: string
  readonly framing: Framing
}

/**
 * The head of a request, as Latin-1, up to and with the empty line. Throws INVALID_INPUT when a part of it could be taken for
 * something else than it is.
 */
export function requestText(line: RequestLine, head: CallHead): RequestText {
  if (ODD_TARGET.test(line.target) || !METHOD.test(line.method))
    throw new AtelierError('INVALID_INPUT', 'The method or the target of this call cannot be sent.')
  const lines = new Lines()
  for (let i = 0; i < line.extra.length; i += 2) lines.set(line.extra[i]!, line.extra[i + 1]!)
  const { headers, block } = line.fields === undefined ? head : { headers: line.fields, block: undefined }
  for (let i = 0; i < headers.length; i += 2) lines.add(headers[i]!, headers[i + 1]!)
  if (block) lines.addBlock(block)
  const framing = framingOf(line.method, head.body, lines.contentLength)
  const length = framing === 'none' ? '' : framing === 'chunked' ? CHUNKED : `content-length: ${framing}\r\n`
  const host = lines.hasHost ? '' : 'host: localhost\r\n'
  const text = `${line.method} ${line.target} HTTP/1.1\r\n${lines.text}${host}${length}\r\n`
  return { method: line.method, text, framing }
}

const ODD_TARGET = /[^\x21-\x7e\x80-\xff]/
const METHOD = /^[\w!#$%&'*+.^`|~-]+$/
const CHUNKED = 'transfer-encoding: chunked\r\n'
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

function framingOf(method: string, body: CallHead['body'], said: number | undefined): Framing {
  if (body === undefined) return said ?? 'chunked'
  // Servers of old answer 411 to a POST that does not say that it has no body.
  return body === null || body.length === 0 ? (WITH_BODY.has(method) ? 0 : 'none') : body.length
}

class Lines {
  text = ''
  hasHost = false
  contentLength: number | undefined
  #set: Set<string> | undefined

  set(name: string, value: string): void {
    ;(this.#set ??= new Set()).add(name)
    this.#put(name, value)
  }

  add(name: string, value: string): void {
    if (this.#set?.has(name)) return
    if (name === 'content-length') {
      if (LENGTH.test(value)) this.contentLength = Number(value)
    } else if (!OURS.has(name)) this.#put(name, value)
  }

  addBlock(block: HeaderBlock): void {
    let ready = blocks.get(block)
    if (ready === undefined) {
      const lines = new Lines()
      for (const line of block.text.split('\n').slice(1)) {
        const colon = line.indexOf(': ')
        lines.add(line.slice(0, colon), line.slice(colon + 2))
      }
      ready = { text: lines.text, hasHost: lines.hasHost, contentLength: lines.contentLength }
      blocks.set(block, ready)
    }
    this.contentLength ??= ready.contentLength
    // Rarely said by both: then it is read line by line.
    if (this.#set === undefined || !overlaps(ready.text, this.#set)) {
      this.text += ready.text
      this.hasHost ||= ready.hasHost
    } else
      for (const line of ready.text.split('\r\n').slice(0, -1)) {
        const colon = line.indexOf(': ')
        this.add(line.slice(0, colon), line.slice(colon + 2))
      }
  }

  #put(name: string, value: string): void {
    if (!METHOD.test(name)) throw odd(name)
    if (name === 'host') this.hasHost = true
    this.text += `${name}: ${ODD_VALUE.test(value) ? asBytes(name, value) : value}\r\n`
  }
}

const blocks = new WeakMap<
  HeaderBlock,
  { text: string; hasHost: boolean; contentLength: number | undefined }
>()
const OURS = new Set(['connection', 'transfer-encoding', 'keep-alive', 'te', 'trailer', 'upgrade', 'expect'])
const LENGTH = /^\d{1,15}$/
const ODD_VALUE = /[^\t\x20-\x7e\x80-\xff]/
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/

function overlaps(text: string, names: ReadonlySet<string>): boolean {
  for (const name of names) if (text.startsWith(`${name}: `) || text.includes(`\n${name}: `)) return true
  return false
}

/** A character beyond Latin-1 goes as its bytes in UTF-8: cut to a byte it could become a line break. */
function asBytes(name: string, value: string): string {
  if (CONTROL.test(value)) throw odd(name)
  return Buffer.from(value, 'utf8').toString('latin1')
}

function odd(name: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `The header ${JSON.stringify(name.slice(0, 80))} cannot be sent.`)
}
