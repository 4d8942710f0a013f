import { AtelierError, type Cors, newId } from '../core/index.ts'
import type { InvokeHandle, InvokeSink } from '../invoker/index.ts'
import { readAnswer } from './answer.ts'
import { corsFields } from './cors.ts'
import { type Exchange, LENGTH_NONE, LENGTH_UNKNOWN } from './front.ts'
import { logPlatformFault, type Plane } from './plane.ts'
import { INVOCATION_FIELD, problemOf } from './problem.ts'

/**
 * The answer's way, from a function to the client. What a function says within one turn goes out as one piece with its
 * length; what takes longer is streamed as it comes. After `isOver` nothing is said to the client, whatever the function
 * still does.
 */
export class Reply implements InvokeSink {
  isOver = false
  /** Of the trigger, once it is known; and the request's Origin. */
  cors: Cors | undefined
  origin: string | undefined
  /** As in `Resolved`. */
  ownsHost = false
  readonly #plane: Plane
  readonly #exchange: Exchange
  #handle: InvokeHandle | undefined
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

  constructor(plane: Plane, exchange: Exchange) {
    this.#plane = plane
    this.#exchange = exchange
  }

  get handle(): InvokeHandle | undefined {
    return this.#handle
  }

  /** The call has begun. What was said during `invoke` goes out when the turn is over. */
  begun(handle: InvokeHandle): void {
    this.#handle = handle
    if (this.isOver || this.#failure) handle.cancel()
  }

  onHead(status: number, headers: readonly string[]): void {
    if (this.isOver || this.#status !== 0) return
    const answer = readAnswer(status, headers, this.cors !== undefined, this.ownsHost)
    if (typeof answer === 'string') {
      this.giveUp(badAnswer(answer))
      return
    }
    this.#status = status
    this.#headers = answer.headers
    this.#declared = answer.declared
    this.#plane.flusher.add(this)
  }

  onData(chunk: Uint8Array): void {
    if (this.isOver || this.#isBodiless) this.#handle?.consumed(chunk.length)
    else if (this.#isHeadSent) this.#send(chunk)
    else if (!this.#held) this.#held = chunk
    else if (!this.#handle) this.#held = Buffer.concat([this.#held, chunk])
    else {
      this.#sendHead()
      this.#send(chunk)
    }
  }

  /** The function's side has room for more of the request. */
  onDrain(): void {
    if (!this.isOver) this.#exchange.resume()
  }

  onEnd(): void {
    if (this.isOver) return
    this.#isEnded = true
    if (this.#handle) this.#finish()
  }

  onFail(error: AtelierError): void {
    if (this.#handle) this.fail(error)
    else {
      this.#failure = error
      this.#plane.flusher.add(this)
    }
  }

  /** The turn is over: what is known of the answer goes out. */
  flush(): void {
    if (this.isOver) return
    if (this.#failure) this.fail(this.#failure)
    else if (this.#isEnded) this.#finish()
    else if (!this.#isHeadSent) this.#sendHead()
  }

  /** The client takes data again. */
  writable(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0) this.#handle?.consumed(owed)
  }

  /** The client left. */
  abort(): void {
    if (this.isOver) return
    this.#plane.counters.aborted++
    this.#over()
    this.#handle?.cancel()
  }

  /** Fails the call from our side: the client hears why, and the function need not go on. */
  giveUp(error: AtelierError): void {
    const handle = this.#handle
    this.onFail(error)
    handle?.cancel()
  }

  /** Answers with the error; where the answer has begun, breaks it off. */
  fail(error: AtelierError): void {
    if (this.isOver) return
    const id = this.#handle?.id ?? newId(this.#plane.clock.now())
    logPlatformFault(this.#plane.log, error, id)
    if (this.#isHeadSent) {
      this.#reset()
      return
    }
    const { status, headers, body } = problemOf(error, id)
    this.#addCors(headers)
    this.#answer(status, headers, body.length, this.#exchange.method === 'HEAD' ? undefined : body)
  }

  /** An answer of the router's own. */
  empty(headers: string[]): void {
    headers.push(INVOCATION_FIELD, newId(this.#plane.clock.now()))
    this.#answer(204, headers, LENGTH_NONE, undefined)
  }

  /** The call is the queue's now. */
  accepted(id: string, headers: string[], body: Buffer): void {
    if (this.isOver) return // the client left; the call stays
    this.#addCors(headers)
    headers.push(INVOCATION_FIELD, id)
    this.#answer(202, headers, body.length, this.#exchange.method === 'HEAD' ? undefined : body)
  }

  /** No body follows the head, whatever the function says (RFC 9110, 6.4.1). */
  get #isBodiless(): boolean {
    const status = this.#status
    return this.#exchange.method === 'HEAD' || status === 204 || status === 304 || status === 205
  }

  #finish(): void {
    if (this.#isHeadSent) {
      if (this.#declared !== undefined && this.#sent !== this.#declared) {
        this.#reset()
        return
      }
      this.#over()
      this.#exchange.end()
    } else if (this.#isBodiless) this.#answerBodiless()
    else {
      const length = this.#held?.length ?? 0
      if (this.#declared !== undefined && this.#declared !== length)
        this.fail(badAnswer(`it is not as long as its Content-Length of ${this.#declared} says`))
      else {
        this.#addOwnFields()
        this.#answer(this.#status, this.#headers, length, this.#held)
      }
      if (length > 0) this.#handle!.consumed(length)
    }
  }

  #answerBodiless(): void {
    this.#addOwnFields()
    const isSilent = this.#status === 204 || this.#declared === undefined
    this.#answer(
      this.#status,
      this.#headers,
      this.#status === 205 ? 0 : isSilent ? LENGTH_NONE : this.#declared!,
      undefined,
    )
  }

  #answer(status: number, headers: string[], length: number, body: Uint8Array | undefined): void {
    this.#over()
    this.#count(status)
    this.#exchange.answer(status, headers, length, body)
  }

  #sendHead(): void {
    if (this.#isBodiless) {
      this.#answerBodiless()
      return
    }
    this.#addOwnFields()
    this.#isHeadSent = true
    this.#count(this.#status)
    this.#exchange.head(this.#status, this.#headers, this.#declared ?? LENGTH_UNKNOWN)
    const held = this.#held
    this.#held = undefined
    if (held) this.#send(held)
  }

  #send(chunk: Uint8Array): void {
    this.#sent += chunk.length
    if (this.#declared !== undefined && this.#sent > this.#declared) {
      this.#reset()
      this.#handle!.cancel()
    } else if (this.#exchange.write(chunk)) this.#handle!.consumed(chunk.length)
    else this.#owed += chunk.length
  }

  #reset(): void {
    this.#over()
    this.#plane.counters.brokenOff++
    this.#exchange.reset()
  }

  #addOwnFields(): void {
    this.#addCors(this.#headers)
    this.#headers.push(INVOCATION_FIELD, this.#handle!.id)
  }

  #addCors(headers: string[]): void {
    if (this.cors) headers.push(...corsFields(this.cors, this.origin))
  }

  #over(): void {
    this.isOver = true
    this.#plane.counters.requestsActive--
  }

  #count(status: number): void {
    this.#plane.counters.answers[Math.floor(status / 100)]!++
  }
}

/** The error for an answer that HTTP has no way to send. */
export function badAnswer(what: string): AtelierError {
  return new AtelierError('FUNCTION_BAD_ANSWER', `The function's answer cannot be sent: ${what}.`)
}
