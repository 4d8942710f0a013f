import { AtelierError, asAtelierError, newId } from '../core/index.ts'
import type { HookAnswer, HookRequest } from '../triggers/index.ts'
import { readAnswer } from './answer.ts'
import { RequestFields } from './fields.ts'
import { type Exchange, type ExchangeReceiver, LENGTH_NONE } from './front.ts'
import type { GatherBudget } from './gather-budget.ts'
import { logPlatformFault, type Plane } from './plane.ts'
import { INVOCATION_FIELD, problemOf } from './problem.ts'
import { badAnswer } from './reply.ts'
import { notFound } from './resolve.ts'
import { hostName, readTarget } from './target.ts'

/** Who takes what comes to the secret URLs of triggers. */
export interface HookReceiver {
  /** The project whose trigger has the URL with this token; `undefined` when none has. In constant time. */
  hookProject(token: string): string | undefined
  /** Answers one request. Rejects with catalogue errors. */
  receiveHook(token: string, request: HookRequest): Promise<HookAnswer>
}

/** Whether a request's target is below `/-/`, which belongs to the platform on every host. */
export function isPlatformTarget(target: string): boolean {
  const second = target.charCodeAt(1)
  if (target.charCodeAt(0) === SLASH && second !== DASH && second !== PERCENT) return false
  return /^(?:https?:\/\/[^/?]*)?\/(?:-|%2d)\//i.test(target)
}

/**
 * One request at `/-/hooks/<token>`: its body is gathered and handed to the trigger, whose answer goes back. Whoever has
 * no token is sent away before a byte of the body is read. Nothing that is logged or answered holds the token.
 */
export class HookCall implements ExchangeReceiver {
  readonly #plane: Plane
  readonly #exchange: Exchange
  readonly #id: string
  readonly #left = new AbortController()
  #token = ''
  #rest = ''
  #query = ''
  #headers: readonly string[] = []
  #ownsHost = false
  #share: ReturnType<GatherBudget['open']> | undefined
  #parts: Uint8Array[] = []
  #isOver = false
  #stopPatience: (() => void) | undefined

  constructor(plane: Plane, exchange: Exchange) {
    this.#plane = plane
    this.#exchange = exchange
    this.#id = newId(plane.clock.now())
    exchange.receiver = this
  }

  start(): void {
    const { counters, limits, hooks, hookBudget, clock } = this.#plane
    counters.requests++
    counters.requestsActive++
    try {
      const { method, bodyLength } = this.#exchange
      if (method === 'TRACE' || method === 'CONNECT')
        throw new AtelierError('NOT_IMPLEMENTED', `The method ${method} is not spoken here.`)
      const project = this.#find(hooks)
      if (bodyLength !== undefined && bodyLength > limits.hookBodyBytesMax) throw this.#tooLarge()
      this.#share = hookBudget.open(project)
      if (bodyLength === 0) this.#receive()
      else {
        this.#stopPatience = clock.after(limits.hookBodyMs, () => this.#fail(tooSlow()))
        this.#exchange.read()
      }
    } catch (error) {
      this.#fail(asAtelierError(error))
    }
  }

  onBody(chunk: Uint8Array): void {
    if (this.#isOver) return
    const share = this.#share!
    if (share.bytes + chunk.length > this.#plane.limits.hookBodyBytesMax) this.#fail(this.#tooLarge())
    else if (share.take(chunk.length)) this.#parts.push(chunk)
    else
      this.#fail(
        new AtelierError('TOO_MANY_REQUESTS', 'Too many large requests are under way; try again.', {
          retryAfterS: 1,
        }),
      )
  }

  onBodyEnd(): void {
    if (!this.#isOver) this.#receive()
  }

  onWritable(): void {}

  onAbort(): void {
    if (this.#isOver) return
    this.#plane.counters.aborted++
    this.#over()
    this.#left.abort()
  }

  /** Takes the address apart; the project of its trigger. Throws NOT_FOUND. */
  #find(hooks: HookReceiver | undefined): string {
    const { method, target: raw, rawHeaders } = this.#exchange
    const fields = new RequestFields(rawHeaders)
    const target = readTarget(method, raw, fields.host)
    const match = HOOK.exec(target.path)
    const project = match ? hooks?.hookProject(match[1]!) : undefined
    const owner = this.#plane.index.ownerOf(hostName(target.host))
    // What the function answers would be a page of whose host this is.
    if (!match || project === undefined || (owner !== undefined && owner !== project)) throw notFound()
    this.#ownsHost = owner !== undefined
    this.#token = match[1]!
    this.#rest = match[2]!
    this.#query = target.query
    this.#headers = fields.complete(this.#exchange, target.host, this.#plane.trustForwarded)
    return project
  }

  #receive(): void {
    this.#stopPatience?.()
    const parts = this.#parts
    this.#parts = []
    const { method, remoteAddress } = this.#exchange
    this.#plane
      .hooks!.receiveHook(this.#token, {
        method,
        path: this.#rest,
        query: this.#query,
        headers: this.#headers,
        body: parts.length === 1 ? parts[0]! : Buffer.concat(parts),
        remoteAddress,
        receivedAt: this.#plane.clock.now(),
        signal: this.#left.signal,
      })
      .then(
        answer => this.#answer(answer),
        (error: unknown) => this.#fail(asAtelierError(error)),
      )
  }

  #answer({ status, headers = [], body = '', callId = this.#id }: HookAnswer): void {
    if (this.#isOver) return
    const answer = readAnswer(status, headers, false, this.#ownsHost)
    if (typeof answer === 'string') {
      this.#fail(badAnswer(answer))
      return
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.#send(status, [...answer.headers, INVOCATION_FIELD, callId], bytes)
  }

  #fail(error: AtelierError): void {
    if (this.#isOver) return
    logPlatformFault(this.#plane.log, error, this.#id)
    const { status, headers, body } = problemOf(error, this.#id)
    this.#send(status, headers, body)
  }

  #send(status: number, headers: string[], body: Uint8Array): void {
    this.#over()
    this.#plane.counters.answers[Math.floor(status / 100)]!++
    const isSilent = status === 204 || status === 304
    const shown = isSilent || status === 205 || this.#exchange.method === 'HEAD' ? undefined : body
    this.#exchange.answer(status, headers, isSilent ? LENGTH_NONE : status === 205 ? 0 : body.length, shown)
  }

  #over(): void {
    this.#isOver = true
    this.#parts = []
    this.#stopPatience?.()
    this.#share?.close()
    this.#plane.counters.requestsActive--
  }

  #tooLarge(): AtelierError {
    return new AtelierError(
      'BODY_TOO_LARGE',
      `The body is larger than the ${this.#plane.limits.hookBodyBytesMax} bytes that a trigger takes.`,
    )
  }
}

const SLASH = 0x2f
const DASH = 0x2d
const PERCENT = 0x25
// A rest that begins with "//" reads as a host in many a URL parser, the functions' too.
const HOOK = /^\/-\/hooks\/([\w-]{16,128})((?:\/(?!\/).*)?)$/

function tooSlow(): AtelierError {
  return new AtelierError('REQUEST_TIMEOUT', 'The body did not arrive in time.')
}
