// What a handler is told beside the request.

import { cloudEventOf } from './cloud-event.mjs'
import { acceptWebSocket } from './websocket.mjs'

export class Context {
  #call
  #spec
  #waiting
  #log

  constructor(call, spec) {
    this.#call = call
    this.#spec = spec
  }

  /** Id of the invocation: the caller has it as `atelier-invocation-id`. */
  get invocationId() {
    return this.#call.id
  }

  /** Epoch milliseconds at which the platform gives up. */
  get deadline() {
    return this.#call.deadline
  }

  remainingMs() {
    return Math.max(0, this.#call.deadline - Date.now())
  }

  /** Aborts when the caller leaves, the deadline passes or the instance goes. */
  get signal() {
    return this.#call.signal
  }

  get config() {
    return this.#spec.config
  }

  get secrets() {
    return this.#spec.secrets
  }

  /** `{ project, app, name, version }` */
  get function() {
    return this.#spec.function
  }

  get instance() {
    return this.#spec.instance
  }

  get memoryMiB() {
    return this.#spec.memoryMiB
  }

  get traceparent() {
    return this.#field(/^traceparent: (.*)$/m)
  }

  /** A token of the project, good for the whole call, where the function was lent roles (`tokenRoles`). */
  get token() {
    return this.#field(/^atelier-auth-token: (.*)$/m)
  }

  /** Where the token is known: what OpenStack's clients call OS_AUTH_URL. */
  get authUrl() {
    return this.#field(/^atelier-auth-url: (.*)$/m)
  }

  get projectId() {
    return this.#field(/^atelier-project-id: (.*)$/m)
  }

  #field(line) {
    const { text, from } = this.#call.headerLines
    if (from === 0) return undefined
    return line.exec(text.slice(from))?.[1]
  }

  /** `log(…)`, `log.warn(…)`, `log.error(…)`: the console, which is tied to the call in any case. */
  get log() {
    this.#log ??= Object.assign((...values) => console.log(...values), {
      info: (...values) => console.info(...values),
      warn: (...values) => console.warn(...values),
      error: (...values) => console.error(...values),
      debug: (...values) => console.debug(...values),
    })
    return this.#log
  }

  /** The caller has its answer; the call lasts until `promise` settles. */
  waitUntil(promise) {
    this.#waiting ??= []
    this.#waiting.push(
      Promise.resolve(promise).catch(error => console.error('A promise given to waitUntil failed:', error)),
    )
  }

  get waiting() {
    return this.#waiting
  }

  /** Settles when everything given to `waitUntil`, also meanwhile, has. */
  async waited() {
    for (const promise of this.#waiting ?? []) await promise
  }

  /** The CloudEvent that `request` is, in whichever mode it came; resolves with `undefined` when it is none. */
  cloudEvent(request) {
    return cloudEventOf(request)
  }

  /** Accepts the WebSocket that this call offers: return `response` and use `socket`. */
  upgradeWebSocket(options) {
    return acceptWebSocket(this.#call, options)
  }
}
