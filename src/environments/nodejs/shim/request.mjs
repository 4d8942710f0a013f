// The Web's Request over a call: everything is read from the call when it is asked for.
import { LightHeaders } from './headers.mjs'
import { native } from './native.mjs'

const decoder = new TextDecoder()

export class LightRequest {
  #call
  #headers
  #url
  #used = false
  #native

  constructor(call) {
    this.#call = call
  }

  static is(value) {
    return typeof value === 'object' && value !== null && #call in value
  }

  get method() {
    return this.#call.method
  }

  get url() {
    this.#url ??= urlOf(this.#call.target, this.headers)
    return this.#url
  }

  get headers() {
    if (this.#headers === undefined) {
      const { text, from } = this.#call.headerLines
      this.#headers = LightHeaders.parse(text, from)
    }
    return this.#headers
  }

  get signal() {
    return this.#call.signal
  }

  get body() {
    if (this.#used && this.#native === undefined) return this.toNative().body
    return this.#call.bodyEmpty && this.#native === undefined ? null : this.toNative().body
  }

  get bodyUsed() {
    return this.#native?.bodyUsed ?? this.#used
  }

  text() {
    return this.#native !== undefined ? this.#native.text() : this.#take(textOf)
  }

  json() {
    return this.#native !== undefined ? this.#native.json() : this.#take(jsonOf)
  }

  bytes() {
    return this.#native !== undefined ? this.#native.bytes() : this.#take(bytesOf)
  }

  arrayBuffer() {
    return this.#native !== undefined ? this.#native.arrayBuffer() : this.#take(bufferOf)
  }

  blob() {
    return this.toNative().blob()
  }

  formData() {
    return this.toNative().formData()
  }

  clone() {
    return this.toNative().clone()
  }

  get mode() {
    return 'cors'
  }

  get credentials() {
    return 'same-origin'
  }

  get cache() {
    return 'default'
  }

  get redirect() {
    return 'follow'
  }

  get referrer() {
    return 'about:client'
  }

  get referrerPolicy() {
    return ''
  }

  get integrity() {
    return ''
  }

  get keepalive() {
    return false
  }

  get destination() {
    return ''
  }

  get duplex() {
    return 'half'
  }

  get [Symbol.toStringTag]() {
    return 'Request'
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
    return `Request ${inspect({ method: this.method, url: this.url, headers: this.headers }, options)}`
  }

  /** Node's own Request with the same contents; from then on the body is that one's. */
  toNative() {
    if (this.#native === undefined) {
      const init = { method: this.method, headers: [...this.headers], signal: this.signal }
      if (init.method !== 'GET' && init.method !== 'HEAD' && !this.#call.bodyEmpty && !this.#used) {
        init.body = bodyStream(this.#call)
        init.duplex = 'half'
      }
      this.#native = new native.Request(this.url, init)
    }
    return this.#native
  }

  /** Resolves with what `make` makes of the whole body: without a wait when that is here already, as it mostly is. */
  async #take(make) {
    if (this.#used) throw new TypeError('The body of this Request has been read already.')
    this.#used = true
    return make(this.#call.takeAll() ?? (await this.#call.readAll()))
  }
}

const textOf = bytes => decoder.decode(bytes)
const jsonOf = bytes => JSON.parse(textOf(bytes))
const bytesOf = bytes => new Uint8Array(bytes)
const bufferOf = bytes => bytesOf(bytes).buffer

function urlOf(target, headers) {
  const scheme = headers.get('x-forwarded-proto')?.split(',', 1)[0].trim() ?? 'http'
  return `${scheme === 'https' ? 'https' : 'http'}://${headers.get('host') ?? 'localhost'}${target}`
}

/** The call's body as a stream that reads only when it is read. */
export function bodyStream(call) {
  return new ReadableStream(
    {
      type: 'bytes',
      async pull(controller) {
        const part = await call.readPart()
        if (part === undefined) {
          controller.close()
          controller.byobRequest?.respond(0)
        } else controller.enqueue(new Uint8Array(part))
      },
    },
    { highWaterMark: 0 },
  )
}
