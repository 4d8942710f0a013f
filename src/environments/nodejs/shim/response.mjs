// The Web's Response as an object that only remembers how it was made: most answers need no more than that.
import { headerName, headerValue, LightHeaders } from './headers.mjs'
import { native } from './native.mjs'

const NULL_BODY_STATUSES = new Set([204, 205, 304])

export class LightResponse {
  #body
  #init
  #status
  #headers
  #native
  /** The content type that comes with the body, where the body alone does not tell. */
  #type

  constructor(body = null, init = undefined) {
    const status = init?.status === undefined ? 200 : Number(init.status)
    if (!(status >= 200 && status <= 599) || status !== Math.floor(status)) {
      throw new RangeError(`The status ${init?.status} is not a whole number from 200 to 599.`)
    }
    if (body !== null && body !== undefined && NULL_BODY_STATUSES.has(status)) {
      throw new TypeError(`An answer with status ${status} has no body.`)
    }
    this.#body = body ?? null
    if (Object.prototype.toString.call(body) === '[object FormData]') {
      const encoded = new native.Response(body) // Node knows how to write a form, and chooses its boundary
      this.#body = encoded.body
      this.#type = encoded.headers.get('content-type')
    }
    this.#init = init
    this.#status = status
  }

  static [Symbol.hasInstance](value) {
    return LightResponse.is(value) || native.isResponse(value)
  }

  static is(value) {
    return typeof value === 'object' && value !== null && #body in value
  }

  static json(data, init) {
    const text = JSON.stringify(data)
    if (text === undefined) throw new TypeError('This value cannot be written as JSON.')
    const headers = new LightHeaders(init?.headers)
    if (!headers.has('content-type')) headers.set('content-type', 'application/json')
    return new LightResponse(text, { status: init?.status, statusText: init?.statusText, headers })
  }

  static redirect(url, status = 302) {
    if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`${status} is not a redirection.`)
    return new LightResponse(null, { status, headers: { location: String(url) } })
  }

  static error() {
    return native.Response.error()
  }

  get status() {
    return this.#status
  }

  get ok() {
    return this.#status < 300
  }

  get statusText() {
    return String(this.#init?.statusText ?? '')
  }

  get type() {
    return 'default'
  }

  get url() {
    return ''
  }

  get redirected() {
    return false
  }

  get headers() {
    if (this.#headers === undefined) {
      this.#headers = new LightHeaders(this.#init?.headers)
      const type = this.#type ?? contentType(this.#body)
      if (type !== undefined && !this.#headers.has('content-type')) this.#headers.set('content-type', type)
    }
    return this.#headers
  }

  get body() {
    return this.#body === null ? null : this.toNative().body
  }

  get bodyUsed() {
    return this.#native?.bodyUsed ?? false
  }

  text() {
    return this.toNative().text()
  }

  json() {
    return this.toNative().json()
  }

  bytes() {
    return this.toNative().bytes()
  }

  arrayBuffer() {
    return this.toNative().arrayBuffer()
  }

  blob() {
    return this.toNative().blob()
  }

  formData() {
    return this.toNative().formData()
  }

  clone() {
    const copy = new LightResponse(null, { status: this.#status, statusText: this.statusText })
    copy.#headers = new LightHeaders(this.headers)
    if (this.#native === undefined && isPlain(this.#body)) copy.#body = this.#body
    else {
      copy.#native = this.toNative().clone()
      copy.#body = copy.#native.body
    }
    return copy
  }

  get [Symbol.toStringTag]() {
    return 'Response'
  }

  /** Node's own Response with the same contents; from then on the body is that one's. */
  toNative() {
    this.#native ??= new native.Response(this.#body, {
      status: this.#status,
      statusText: this.statusText,
      headers: [...this.headers],
    })
    return this.#native
  }

  /** The head's text for the wire. */
  toHead() {
    if (this.#headers !== undefined) return this.#status + this.#headers.toLines()
    const init = this.#init?.headers
    let lines = ''
    let typed = false
    if (init !== undefined && init !== null) {
      if (typeof init[Symbol.iterator] === 'function') return this.#status + this.headers.toLines()
      for (const key of Object.keys(init)) {
        const name = headerName(key)
        if (name === 'content-type') typed = true
        lines += `\n${name}: ${headerValue(init[key], name)}`
      }
    }
    const type = typed ? undefined : (this.#type ?? contentType(this.#body))
    return type === undefined ? this.#status + lines : `${this.#status}\ncontent-type: ${type}${lines}`
  }

  /** The body as it was given, or the stream it has become. */
  toBody() {
    if (this.#native === undefined) return this.#body
    if (this.#native.bodyUsed) throw new TypeError('The body of this Response has been read already.')
    return this.#native.body
  }
}

function isPlain(body) {
  return body === null || typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
}

function contentType(body) {
  if (typeof body === 'string') return 'text/plain;charset=UTF-8'
  if (body === null || typeof body !== 'object' || isPlain(body)) return undefined
  if (body instanceof URLSearchParams) return 'application/x-www-form-urlencoded;charset=UTF-8'
  if (body instanceof Blob) return body.type === '' ? undefined : body.type
  return undefined
}
