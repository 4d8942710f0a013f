import { AtelierError, asAtelierError, newId } from '../core/index.ts'
import type { InvokeHandle, InvokeSink } from '../invoker/call.ts'
import { authorise, locate, outgoing, type Reading, read } from './admit.ts'
import { readAnswer } from './answer.ts'
import { corsFields, preflightFields } from './cors.ts'
import { type Exchange, type ExchangeReceiver, LENGTH_NONE, LENGTH_UNKNOWN } from './front.ts'
import { logPlatformFault, type Plane } from './plane.ts'
import { INVOCATION_FIELD, problemOf } from './problem.ts'
import type { Resolved } from './resolve.ts'

/**
 * One request on its way to a function and back.
 *
 * The request: read, resolve, authorise, then invoke; a small body is gathered first, a large one streams. The answer:
 * what a function says within one turn goes out as one piece with its length; what takes longer is streamed as it
 * comes. After `#isOver` nothing is said to the client, whatever the function still does.
 */
export class Call implements InvokeSink, ExchangeReceiver {
  readonly #plane: Plane
  readonly #exchange: Exchange
  #reading: Reading | undefined
  #resolved: Resolved | undefined
  #handle: InvokeHandle | undefined
  #invokedId: string | undefined

  #gathered: Uint8Array[] | undefined
  #received = 0
  #isStreaming = false

  #status = 0
  #headers: string[] = []
  /** The Content-Length that the function gave. */
  #declared: number | undefined
  /** The first piece of an answer whose head is not sent yet. */
  #held: Uint8Array | undefined
  #sent = 0
  /** Bytes the client has not taken; told to the function's side when it has. */
  #owed = 0
  #isEnded = false
  #isHeadSent = false
  #failure: AtelierError | undefined
  #isOver = false

  constructor(plane: Plane, exchange: Exchange) {
    this.#plane = plane
    this.#exchange = exchange
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
      const waiting = authorise(this.#plane, resolved, reading.fields)
      if (waiting) waiting.then(() => this.#admitted(), error => this.#fail(asAtelierError(error)))
      else this.#admitted()
    } catch (error) {
      this.#fail(asAtelierError(error))
    }
  }

  // The request's way

  #admitted(): void {
    if (this.#isOver) return
    const { bodyLength } = this.#exchange
    if (bodyLength === 0) this.#invoke(null)
    else if (bodyLength !== undefined && bodyLength <= this.#plane.limits.gatherBytesMax) {
      this.#gathered = []
      this.#exchange.read()
    } else {
      this.#isStreaming = true
      this.#invoke(undefined)
      // A call that was refused at once needs no body, and its client should not have to send it.
      if (!this.#failure && !this.#isOver) this.#exchange.read()
    }
  }

  #invoke(body: Uint8Array | null | undefined): void {
    const target = this.#resolved!
    const { method, path, headers, traceparent } = outgoing(this.#plane, target, this.#reading!)
    const handle = this.#plane.invoker.invoke(
      { target: target.function, qualifier: target.qualifier, trigger: 'http', method, path, headers, body, traceparent },
      this,
    )
    this.#handle = handle
    this.#invokedId = handle.id
    if (this.#isOver || this.#failure) handle.cancel()
  }

  onBody(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.#received += chunk.length
    if (this.#gathered) this.#gathered.push(chunk)
    else if (this.#received > this.#plane.limits.bodyBytesMax) this.#giveUp(this.#tooLarge())
    else if (this.#handle && !this.#handle.write(chunk)) this.#exchange.pause()
  }

  onBodyEnd(): void {
    if (this.#isOver) return
    const parts = this.#gathered
    if (parts) {
      this.#gathered = undefined
      this.#invoke(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    } else if (this.#isStreaming) this.#handle?.end()
  }

  /** The function's side has room for more of the request. */
  onDrain(): void {
    if (!this.#isOver) this.#exchange.resume()
  }

  onAbort(): void {
    if (this.#isOver) return
    this.#plane.counters.aborted++
    this.#over()
    this.#handle?.cancel()
  }

  // The answer's way

  onHead(status: number, headers: readonly string[]): void {
    if (this.#isOver || this.#status !== 0) return
    const answer = readAnswer(status, headers, this.#resolved?.trigger?.cors !== undefined)
    if (typeof answer === 'string') {
      this.#giveUp(new AtelierError('FUNCTION_BAD_ANSWER', `The function's answer cannot be sent: ${answer}.`))
      return
    }
    this.#status = status
    this.#headers = answer.headers
    this.#declared = answer.declared
    this.#plane.flusher.add(this)
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver || this.#isBodiless) {
      this.#handle?.consumed(chunk.length)
      return
    }
    if (this.#isInvoking && this.#held) {
      this.#held = Buffer.concat([this.#held, chunk])
      return
    }
    if (!this.#isHeadSent && this.#held) this.#sendHead()
    if (this.#isHeadSent) this.#send(chunk)
    else this.#held = chunk
  }

  onEnd(): void {
    if (this.#isOver) return
    this.#isEnded = true
    // During `invoke` the id is not known yet: then `flush` does it.
    if (this.#invokedId !== undefined) this.#finish()
  }

  onFail(error: AtelierError): void {
    if (this.#isOver) return
    if (this.#isInvoking) {
      this.#failure = error
      this.#plane.flusher.add(this)
    } else this.#fail(error)
  }

  /** The turn is over: what is known of the answer goes out. */
  flush(): void {
    if (this.#isOver) return
    if (this.#failure) this.#fail(this.#failure)
    else if (this.#isEnded) this.#finish()
    else if (!this.#isHeadSent) this.#sendHead()
  }

  /** The client takes data again. */
  onWritable(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0) this.#handle?.consumed(owed)
  }

  get #isInvoking(): boolean {
    return this.#resolved !== undefined && this.#handle === undefined
  }

  /** No body follows the head, whatever the function says (RFC 9110, 6.4.1). */
  get #isBodiless(): boolean {
    const status = this.#status
    return this.#exchange.method === 'HEAD' || status === 204 || status === 304 || status === 205
  }

  #finish(): void {
    if (this.#isHeadSent) {
      if (this.#declared !== undefined && this.#sent !== this.#declared) this.#breakOff()
      else {
        this.#over()
        this.#exchange.end()
      }
      return
    }
    if (this.#isBodiless) {
      this.#answerBodiless()
      return
    }
    const body = this.#held
    const length = body?.length ?? 0
    if (this.#declared !== undefined && this.#declared !== length) {
      this.#fail(lengthMismatch(this.#declared))
      return
    }
    this.#complete(length, body)
    if (length > 0) this.#handle?.consumed(length)
  }

  #answerBodiless(): void {
    const isSilent = this.#status === 204 || this.#declared === undefined
    this.#complete(this.#status === 205 ? 0 : isSilent ? LENGTH_NONE : this.#declared!, undefined)
  }

  #complete(length: number, body: Uint8Array | undefined): void {
    this.#addOwnFields(this.#headers)
    this.#over()
    this.#count(this.#status)
    this.#exchange.answer(this.#status, this.#headers, length, body)
  }

  #sendHead(): void {
    if (this.#isBodiless) {
      this.#answerBodiless()
      return
    }
    this.#addOwnFields(this.#headers)
    this.#isHeadSent = true
    this.#count(this.#status)
    this.#exchange.head(this.#status, this.#headers, this.#declared ?? LENGTH_UNKNOWN)
    const held = this.#held
    this.#held = undefined
    if (held) this.#send(held)
  }

  #send(chunk: Uint8Array): void {
    const length = chunk.length
    this.#sent += length
    if (this.#declared !== undefined && this.#sent > this.#declared) this.#breakOff()
    else if (this.#exchange.write(chunk) && this.#handle) this.#handle.consumed(length)
    else this.#owed += length
  }

  /** The function's fault, found here: the client hears of it, the call is not worth going on with. */
  #giveUp(error: AtelierError): void {
    const handle = this.#handle
    this.onFail(error)
    handle?.cancel()
  }

  #breakOff(): void {
    this.#over()
    this.#plane.counters.brokenOff++
    this.#exchange.reset()
    this.#handle?.cancel()
  }

  #fail(error: AtelierError): void {
    if (this.#isOver) return
    const id = this.#invokedId ?? newId(this.#plane.clock.now())
    logPlatformFault(this.#plane.log, error, id)
    if (this.#isHeadSent) {
      this.#over()
      this.#plane.counters.brokenOff++
      this.#exchange.reset()
      return
    }
    const problem = problemOf(error, id)
    this.#addCors(problem.headers)
    this.#over()
    this.#count(problem.status)
    const body = this.#exchange.method === 'HEAD' ? undefined : problem.body
    this.#exchange.answer(problem.status, problem.headers, problem.body.length, body)
  }

  #answerOptions(reading: Reading): boolean {
    const { origin, requestedMethod, requestedHeaders } = reading.fields
    if (reading.target.path === '*') return this.#answerEmpty(['allow', ANY_METHOD])
    if (origin === undefined || requestedMethod === undefined) return false
    const { trigger } = locate(this.#plane, reading, requestedMethod)
    if (!trigger?.cors) return false
    return this.#answerEmpty(preflightFields({ ...trigger, cors: trigger.cors }, origin, requestedHeaders))
  }

  #answerEmpty(headers: string[]): true {
    headers.push(INVOCATION_FIELD, newId(this.#plane.clock.now()))
    this.#over()
    this.#count(204)
    this.#exchange.answer(204, headers, LENGTH_NONE, undefined)
    return true
  }

  #addOwnFields(headers: string[]): void {
    this.#addCors(headers)
    headers.push(INVOCATION_FIELD, this.#invokedId!)
  }

  #addCors(headers: string[]): void {
    const cors = this.#resolved?.trigger?.cors
    if (cors) headers.push(...corsFields(cors, this.#reading!.fields.origin))
  }

  #over(): void {
    this.#isOver = true
    this.#plane.counters.requestsActive--
  }

  #count(status: number): void {
    this.#plane.counters.answers[Math.floor(status / 100)]!++
  }

  #tooLarge(): AtelierError {
    return new AtelierError('BODY_TOO_LARGE', `The body is larger than the ${this.#plane.limits.bodyBytesMax} bytes taken here.`)
  }
}

const ANY_METHOD = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

function lengthMismatch(declared: number): AtelierError {
  return new AtelierError(
    'FUNCTION_BAD_ANSWER',
    `The function's answer cannot be sent: it is not as long as its Content-Length of ${declared} says.`,
  )
}
