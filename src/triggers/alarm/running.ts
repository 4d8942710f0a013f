import { AtelierError, asAtelierError, type EventTrigger, newId } from '../../core/index.ts'
import { showsOneOf } from '../hook-authorization.ts'
import { bodyValue } from '../hook-body.ts'
import { HookGate } from '../hook-gate.ts'
import { headerOf, withoutHeaders } from '../hook-headers.ts'
import type { HookAnswer, HookRequest, RunningTrigger, TriggerEvent, TriggerHost } from '../kind.ts'
import { RecentIds } from '../recent-ids.ts'
import type { Outcome, RequestLog } from '../request-log.ts'
import type { Alarm } from './alarm.ts'
import { asOne, readAlertmanager } from './alertmanager.ts'
import { readAodh } from './aodh.ts'
import { type AlarmConfig, alarmConfig } from './config.ts'
import { isWanted } from './wanted.ts'

/**
 * An alarm trigger that takes notifications. It answers as soon as the calls are durable: Aodh waits for the answer
 * without end before it notifies the next one.
 */
export class RunningAlarm implements RunningTrigger {
  readonly #trigger: EventTrigger
  readonly #config: AlarmConfig
  readonly #host: TriggerHost
  readonly #log: RequestLog
  readonly #gate: HookGate
  readonly #refusals: HookGate
  readonly #told = new Map<number, RecentIds>()

  constructor(trigger: EventTrigger, host: TriggerHost, log: RequestLog) {
    this.#trigger = trigger
    this.#config = alarmConfig(trigger.config)
    this.#host = host
    this.#log = log
    this.#gate = new HookGate(this.#config.limits, host.clock)
    this.#refusals = new HookGate(REFUSALS_NOTED, host.clock)
  }

  async stop(): Promise<void> {}

  async receive(request: HookRequest): Promise<HookAnswer> {
    if (request.method !== 'POST') return notAllowed()
    const { secrets } = this.#config
    if (secrets && !showsOneOf(headerOf(request.headers, 'authorization'), secrets)) {
      const error = new AtelierError('UNAUTHENTICATED', 'The sender must show its secret as Authorization.')
      this.#refusals.through(async () => this.#refused(request, error)).catch(() => {})
      throw error
    }
    return this.#gate.through(() => this.#take(request))
  }

  async #take(request: HookRequest): Promise<HookAnswer> {
    try {
      const value = bodyValue({ headers: ['content-type', 'application/json'], body: request.body })
      const alarms = alarmsOf(this.#config, request, value)
      const wanted = alarms.filter(each => isWanted(this.#config, each))
      const news = this.#config.repeats === 'keep' ? wanted : wanted.filter(each => !this.#isTold(each))
      if (news.length < alarms.length) this.#host.filtered(alarms.length - news.length)
      if (news.length === 0) {
        this.#note(request, { outcome: wanted.length > 0 ? 'duplicate' : 'filtered' })
        return say(200, { calls: [], filtered: alarms.length })
      }
      const events = eventsOf(this.#config, request, value, news)
      const calls = await this.#host.deliver(events)
      // Only now: what was not accepted will be told again, and must be heard then.
      for (const each of news) this.#tellers(each).begin([each.sameAs.key])
      const isKnown = calls.every(each => each.duplicate)
      const outcome = isKnown ? 'duplicate' : 'accepted'
      const callId = calls[0]?.id
      this.#note(request, { outcome, ...(callId !== undefined && { callId }) })
      return {
        ...say(isKnown ? 200 : 202, {
          calls: calls.map(each => each.id),
          filtered: alarms.length - news.length,
        }),
        ...(callId !== undefined && { callId }),
      }
    } catch (thrown) {
      const error = asAtelierError(thrown)
      if (error.code === 'INVALID_INPUT') this.#refused(request, error)
      else this.#note(request, { outcome: 'refused', detail: error.message })
      throw thrown
    }
  }

  #isTold(alarm: Alarm): boolean {
    return alarm.isRepeat || this.#tellers(alarm).renew(alarm.sameAs.key)
  }

  #tellers({ sameAs: { withinMs } }: Alarm): RecentIds {
    let ids = this.#told.get(withinMs)
    if (!ids) this.#told.set(withinMs, (ids = new RecentIds(this.#host.clock, withinMs)))
    return ids
  }

  #refused(request: HookRequest, error: AtelierError): void {
    this.#host.failed(error)
    this.#note(request, { outcome: 'refused', detail: error.message })
  }

  #note(request: HookRequest, what: Outcome): void {
    const headers = withoutHeaders(request.headers, NEVER_KEPT)
    this.#log.add(this.#trigger, this.#config.record, { ...request, headers }, what)
  }
}

/** What a recorded notification becomes when it is handled once more: what is wanted of it, told before or not. */
export function replayed(trigger: EventTrigger, request: HookRequest): readonly TriggerEvent[] {
  const config = alarmConfig(trigger.config)
  const value = bodyValue({ headers: ['content-type', 'application/json'], body: request.body })
  const wanted = alarmsOf(config, request, value).filter(each => isWanted(config, each))
  if (wanted.length === 0) return []
  return eventsOf(config, request, value, wanted).map(event => ({ ...event, id: newId(request.receivedAt) }))
}

const REFUSALS_NOTED = { ratePerS: 1, burst: 20, inHandMax: 20 }
const NEVER_KEPT = ['authorization', 'x-auth-token', 'cookie']

function alarmsOf(config: AlarmConfig, request: HookRequest, value: unknown): readonly Alarm[] {
  return config.source === 'aodh'
    ? [readAodh(request, value, config.passToken)]
    : readAlertmanager(request, value, config.repeats)
}

function eventsOf(
  config: AlarmConfig,
  request: HookRequest,
  value: unknown,
  alarms: readonly Alarm[],
): readonly TriggerEvent[] {
  return config.group === 'all'
    ? [asOne(request, value, alarms, config.repeats)]
    : alarms.map(each => each.event)
}

function say(status: number, body: object): HookAnswer {
  return { status, headers: ['content-type', 'application/json'], body: JSON.stringify(body) }
}

function notAllowed(): HookAnswer {
  const detail = 'Alarms are told by POST.'
  return {
    status: 405,
    headers: ['content-type', 'application/problem+json', 'allow', 'POST'],
    body: JSON.stringify({
      title: 'The method is not allowed here',
      status: 405,
      detail,
      code: 'METHOD_NOT_ALLOWED',
    }),
  }
}
