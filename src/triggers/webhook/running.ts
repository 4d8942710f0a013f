import { AtelierError, asAtelierError, type EventTrigger, newId } from '../../core/index.ts'
import { HookGate } from '../hook-gate.ts'
import { headerOf, withoutHeaders } from '../hook-headers.ts'
import type { HookAnswer, HookRequest, RunningTrigger, TriggerEvent, TriggerHost } from '../kind.ts'
import { RecentIds } from '../recent-ids.ts'
import type { Outcome, RequestLog } from '../request-log.ts'
import { type WebhookConfig, webhookConfig } from './config.ts'
import { eventsOf, slackChallenge } from './event.ts'
import { wantsEvent, wantsRequest } from './filter.ts'
import { secretHeaders, whyNotGenuine } from './signature.ts'

/** A webhook that takes requests: is the method right, is it genuine, is it wanted, is it new; then it becomes a call. */
export class RunningWebhook implements RunningTrigger {
  readonly #trigger: EventTrigger
  readonly #config: WebhookConfig
  readonly #host: TriggerHost
  readonly #log: RequestLog
  readonly #gate: HookGate
  readonly #forged: HookGate
  /** Of calls that were waited for; the queue knows the others. */
  readonly #recent: RecentIds

  constructor(trigger: EventTrigger, host: TriggerHost, log: RequestLog) {
    this.#trigger = trigger
    this.#config = webhookConfig(trigger.config)
    this.#host = host
    this.#log = log
    this.#gate = new HookGate(this.#config.limits, host.clock)
    this.#forged = new HookGate(FORGED_NOTED, host.clock)
    this.#recent = new RecentIds(host.clock, RECENT_MS)
  }

  async stop(): Promise<void> {}

  async receive(request: HookRequest): Promise<HookAnswer> {
    const { methods, mode, limits } = this.#config
    if (request.method === 'OPTIONS') {
      const permission = permit(request, methods, limits.ratePerS)
      if (permission) return permission
    }
    if (!methods.includes(request.method)) return notAllowed(methods)
    const reason = whyNotGenuine(this.#config, request, this.#host.clock.now())
    if (reason !== undefined) return this.#refuse(request, reason)
    return this.#gate.through(() => this.#take(request, mode))
  }

  async #take(request: HookRequest, mode: WebhookConfig['mode']): Promise<HookAnswer> {
    try {
      const { events, value } = eventsOf(this.#trigger, this.#config, request)
      const challenge = this.#config.signature === 'slack' ? slackChallenge(value) : undefined
      if (challenge !== undefined)
        return { status: 200, headers: ['content-type', 'text/plain'], body: challenge }
      const { filter } = this.#config
      const wanted = wantsRequest(filter, request.headers, value)
        ? events.filter(event => wantsEvent(filter?.attributes, event))
        : []
      if (wanted.length < events.length) this.#host.filtered(events.length - wanted.length)
      if (wanted.length === 0) {
        this.#note(request, { outcome: 'filtered' })
        return this.#say(200, { filtered: true })
      }
      return mode === 'sync' ? await this.#answerOf(request, wanted) : await this.#accept(request, wanted)
    } catch (thrown) {
      const error = asAtelierError(thrown)
      this.#note(request, { outcome: 'refused', detail: error.message })
      throw thrown
    }
  }

  async #accept(request: HookRequest, events: readonly TriggerEvent[]): Promise<HookAnswer> {
    const calls = await this.#host.deliver(events)
    const [first] = calls
    if (!first) throw new AtelierError('INTERNAL', 'The queue accepted a call and named none.')
    const duplicate = calls.every(each => each.duplicate)
    this.#note(request, { outcome: duplicate ? 'duplicate' : 'accepted', callId: first.id })
    const told = calls.length === 1 ? { id: first.id } : { ids: calls.map(each => each.id) }
    const answer = this.#say(duplicate ? 200 : 202, duplicate ? { ...told, duplicate } : told)
    return { ...answer, callId: first.id }
  }

  async #answerOf(request: HookRequest, events: readonly TriggerEvent[]): Promise<HookAnswer> {
    const ids = events.map(event => `${event.source} ${event.id}`)
    if (!this.#recent.begin(ids)) {
      this.#note(request, { outcome: 'duplicate' })
      return this.#say(200, { duplicate: true })
    }
    let isDone = false
    try {
      const { status, headers, body } = await this.#host.call(events, request.signal)
      isDone = status < 500
      this.#note(request, { outcome: 'accepted', detail: `The function answered ${status}.` })
      return { status, headers, body }
    } finally {
      // A sender that was told of a failure sends again, and means it.
      this.#recent.end(ids, isDone)
    }
  }

  #refuse(request: HookRequest, reason: string): HookAnswer {
    const error = new AtelierError('UNAUTHENTICATED', `The request is not genuine: ${reason}.`)
    // Whoever sends forged ones without end fills neither the record nor the disk.
    this.#forged
      .through(async () => {
        this.#host.failed(error)
        this.#note(request, { outcome: 'refused', detail: reason })
      })
      .catch(() => {})
    const challenge = this.#config.signature === 'basic' ? ['www-authenticate', 'Basic realm="atelier"'] : []
    return {
      status: 401,
      headers: ['content-type', 'application/problem+json', ...challenge],
      body: JSON.stringify({ title: error.title, status: 401, detail: error.message, code: error.code }),
    }
  }

  /** Slack shows its users what it is answered, so it is told nothing. */
  #say(status: number, body: object): HookAnswer {
    if (this.#config.signature === 'slack') return { status: 200 }
    return { status, headers: ['content-type', 'application/json'], body: JSON.stringify(body) }
  }

  #note(request: HookRequest, what: Outcome): void {
    const headers = withoutHeaders(request.headers, [...NEVER_KEPT, ...secretHeaders(this.#config.signature)])
    this.#log.add(this.#trigger, this.#config.record, { ...request, headers }, what)
  }
}

/** What a recorded request becomes when it is handled once more. */
export function replayed(trigger: EventTrigger, request: HookRequest): readonly TriggerEvent[] {
  const { events } = eventsOf(trigger, webhookConfig(trigger.config), request)
  return events.map(event => ({ ...event, id: newId(request.receivedAt) }))
}

const RECENT_MS = 86_400_000 // as long as the queue knows ids
const FORGED_NOTED = { ratePerS: 1, burst: 20, inHandMax: 20 }
const NEVER_KEPT = ['authorization', 'x-auth-token', 'cookie']

/** CloudEvents' protection against abuse: a sender asks first whether its events are wanted here, and how many. */
function permit(request: HookRequest, methods: readonly string[], ratePerS: number): HookAnswer | undefined {
  const origin = headerOf(request.headers, 'webhook-request-origin')
  if (origin === undefined) return undefined
  const rate = headerOf(request.headers, 'webhook-request-rate')
  const perMinute = Math.max(1, Math.floor(ratePerS * 60))
  return {
    status: 200,
    headers: [
      'allow',
      methods.join(', '),
      'webhook-allowed-origin',
      origin,
      ...(rate === undefined ? [] : ['webhook-allowed-rate', String(perMinute)]),
    ],
  }
}

function notAllowed(methods: readonly string[]): HookAnswer {
  const detail = `This trigger takes ${methods.join(', ')}.`
  return {
    status: 405,
    headers: ['content-type', 'application/problem+json', 'allow', methods.join(', ')],
    body: JSON.stringify({
      title: 'The method is not allowed here',
      status: 405,
      detail,
      code: 'METHOD_NOT_ALLOWED',
    }),
  }
}
