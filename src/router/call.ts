import { AtelierError, asAtelierError, BODY_BYTES_BUFFERED_MAX } from '../core/index.ts'
import { authorise, locate, outgoing, type Reading, read } from './admit.ts'
import { preflightFields } from './cors.ts'
import { defer } from './defer.ts'
import type { Exchange, ExchangeReceiver } from './front.ts'
import type { Plane } from './plane.ts'
import { Reply } from './reply.ts'
import type { Resolved } from './resolve.ts'

/**
 * One request on its way to a function: read, resolve, authorise, then invoke. A small body is gathered first, a large
 * one streams. `Reply` brings the answer back.
 */
export class Call implements ExchangeReceiver {
  readonly #plane: Plane
  readonly #exchange: Exchange
  readonly #reply: Reply
  #reading: Reading | undefined
  #resolved: Resolved | undefined
  #gathered: Uint8Array[] | undefined
  #received = 0

  constructor(plane: Plane, exchange: Exchange) {
    this.#plane = plane
    this.#exchange = exchange
    this.#reply = new Reply(plane, exchange)
    exchange.receiver = this
  }

  start(): void {
    const { counters, limits } = this.#plane
    counters.requests++
    counters.requestsActive++
    try {
      const { method, bodyLength } = this.#exchange
      if (method === 'TRACE' || method === 'CONNECT')
        throw new AtelierError('NOT_IMPLEMENTED', `The method ${method} is not spoken here.`)
      if (bodyLength !== undefined && bodyLength > limits.bodyBytesMax) throw this.#tooLarge()
      const reading = read(this.#exchange)
      this.#reading = reading
      if (method === 'OPTIONS' && this.#answerOptions(reading)) return
      const resolved = locate(this.#plane, reading)
      this.#resolved = resolved
      this.#reply.cors = resolved.trigger?.cors
      this.#reply.origin = reading.fields.origin
      this.#reply.ownsHost = resolved.ownsHost
      const waiting = authorise(this.#plane, resolved, reading)
      if (waiting)
        waiting.then(
          () => this.#admitted(),
          error => this.#reply.fail(asAtelierError(error)),
        )
      else this.#admitted()
    } catch (error) {
      this.#reply.fail(asAtelierError(error))
    }
  }

  onBody(chunk: Uint8Array): void {
    const reply = this.#reply
    if (reply.isOver) return
    this.#received += chunk.length
    if (this.#gathered) {
      this.#gathered.push(chunk)
      if (this.#received > this.#gatheredMax) reply.fail(this.#tooLarge(this.#gatheredMax))
    } else if (this.#received > this.#plane.limits.bodyBytesMax) reply.giveUp(this.#tooLarge())
    else if (reply.handle && !reply.handle.write(chunk)) this.#exchange.pause()
  }

  onBodyEnd(): void {
    if (this.#reply.isOver) return
    const parts = this.#gathered
    if (!parts) this.#reply.handle?.end()
    else {
      this.#gathered = undefined
      this.#invoke(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    }
  }

  onWritable(): void {
    this.#reply.writable()
  }

  onAbort(): void {
    this.#reply.abort()
  }

  #admitted(): void {
    if (this.#reply.isOver) return
    const { bodyLength } = this.#exchange
    const max = this.#gatheredMax
    const isAsync = this.#reading!.isAsync
    if (isAsync && bodyLength !== undefined && bodyLength > max) this.#reply.fail(this.#tooLarge(max))
    else if (bodyLength === 0) this.#invoke(null)
    else if (isAsync || (bodyLength !== undefined && bodyLength <= max)) {
      this.#gathered = []
      this.#exchange.read()
    } else {
      this.#invoke(undefined)
      this.#exchange.read()
    }
  }

  /** Known lengths up to this are gathered; of an asynchronous call it is the most that there may be. */
  get #gatheredMax(): number {
    return this.#reading?.isAsync ? BODY_BYTES_BUFFERED_MAX : this.#plane.limits.gatherBytesMax
  }

  #invoke(body: Uint8Array | null | undefined): void {
    if (this.#reading!.isAsync) {
      defer(this.#plane, this.#resolved!, this.#reading!, body ?? null).then(
        ({ id, headers, body: text }) => this.#reply.accepted(id, headers, text),
        (error: unknown) => this.#reply.fail(asAtelierError(error)),
      )
      return
    }
    const request = outgoing(this.#plane, this.#resolved!, this.#reading!, body, false)
    const handle = this.#plane.invoker.invoke(request, this.#reply)
    this.#reply.begun(handle)
  }

  /** Answers what is asked of the server or of a trigger's CORS rules; the rest is the function's. */
  #answerOptions(reading: Reading): boolean {
    const { origin, requestedMethod, requestedHeaders } = reading.fields
    if (reading.target.path === '*') {
      this.#reply.empty(['allow', ANY_METHOD])
      return true
    }
    if (origin === undefined || requestedMethod === undefined) return false
    const { trigger } = locate(this.#plane, reading, requestedMethod)
    if (!trigger?.cors) return false
    this.#reply.empty(preflightFields(trigger, trigger.cors, origin, requestedHeaders))
    return true
  }

  #tooLarge(max = this.#plane.limits.bodyBytesMax): AtelierError {
    return new AtelierError('BODY_TOO_LARGE', `The body is larger than the ${max} bytes taken here.`)
  }
}

const ANY_METHOD = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
