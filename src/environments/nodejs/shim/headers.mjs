// The Web's Headers, without loading Node's own fetch (which costs 30 ms at the first touch).
import { native } from './native.mjs'

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const EDGES = /^[\t\n\r ]+|[\t\n\r ]+$/g
const known = new Map() // names as they were given, to lower case
const KNOWN_MAX = 1_000

/** The name in lower case; a TypeError when it cannot be one. */
export function headerName(name) {
  const found = known.get(name)
  if (found !== undefined) return found
  const text = String(name)
  if (!NAME.test(text)) throw new TypeError(`${JSON.stringify(text)} is not a header name.`)
  const lower = text.toLowerCase()
  if (known.size < KNOWN_MAX) known.set(name, lower)
  return lower
}

/** The value without spaces around it; a TypeError when it cannot be one. */
export function headerValue(value, name) {
  let text = typeof value === 'string' ? value : String(value)
  const first = text.charCodeAt(0)
  const last = text.charCodeAt(text.length - 1)
  if (first <= 0x20 || last <= 0x20) text = text.replace(EDGES, '')
  if (!VALUE.test(text))
    throw new TypeError(`The value of the header ${name} holds characters that no header may hold.`)
  return text
}

export class LightHeaders {
  #values = new Map() // string; for set-cookie an array

  constructor(init) {
    if (init === undefined || init === null) return
    if (typeof init !== 'object')
      throw new TypeError('Headers are made of an object, pairs, or other headers.')
    if (typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const [name, value, ...more] = pair
        if (value === undefined || more.length > 0)
          throw new TypeError('A header is a pair of name and value.')
        this.append(name, value)
      }
    } else for (const name of Object.keys(init)) this.append(name, init[name])
  }

  static [Symbol.hasInstance](value) {
    return (typeof value === 'object' && value !== null && #values in value) || native.isHeaders(value)
  }

  /** From the lines of a CALL's head, which the platform has checked. */
  static parse(text, from) {
    const headers = new LightHeaders()
    let start = from
    while (start > 0 && start < text.length) {
      let end = text.indexOf('\n', start)
      if (end === -1) end = text.length
      const colon = text.indexOf(': ', start)
      headers.#add(text.slice(start, colon), text.slice(colon + 2, end))
      start = end + 1
    }
    return headers
  }

  append(name, value) {
    const key = headerName(name)
    this.#add(key, headerValue(value, key))
  }

  set(name, value) {
    const key = headerName(name)
    const text = headerValue(value, key)
    this.#values.set(key, key === 'set-cookie' ? [text] : text)
  }

  get(name) {
    const value = this.#values.get(headerName(name))
    if (value === undefined) return null
    return typeof value === 'string' ? value : value.join(', ')
  }

  has(name) {
    return this.#values.has(headerName(name))
  }

  delete(name) {
    this.#values.delete(headerName(name))
  }

  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])]
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this)
  }

  *entries() {
    for (const name of [...this.#values.keys()].sort()) {
      const value = this.#values.get(name)
      if (typeof value === 'string') yield [name, value]
      else if (value !== undefined) for (const one of value) yield [name, one]
    }
  }

  *keys() {
    for (const [name] of this.entries()) yield name
  }

  *values() {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator]() {
    return this.entries()
  }

  get [Symbol.toStringTag]() {
    return 'Headers'
  }

  [Symbol.for('nodejs.util.inspect.custom')](depth, options, inspect) {
    return `Headers ${inspect(Object.fromEntries(this), options)}`
  }

  /** As lines of a RESULT's head. */
  toLines() {
    let lines = ''
    for (const [name, value] of this.#values) {
      if (typeof value === 'string') lines += `\n${name}: ${value}`
      else for (const one of value) lines += `\n${name}: ${one}`
    }
    return lines
  }

  #add(key, text) {
    const before = this.#values.get(key)
    if (key === 'set-cookie') {
      if (before === undefined) this.#values.set(key, [text])
      else before.push(text)
    } else if (before === undefined) this.#values.set(key, text)
    else this.#values.set(key, `${before}${key === 'cookie' ? '; ' : ', '}${text}`)
  }
}
