import { randomUUID } from 'node:crypto'
import { AtelierError, type EventTrigger } from '../../core/index.ts'
import { isOneOf } from '../hook-authorization.ts'
import { type GateLimits, HookGate } from '../hook-gate.ts'
import type { HookAnswer, HookRequest, RunningTrigger, TriggerHost } from '../kind.ts'
import type { ObjectConfig } from './config.ts'
import { isWanted, type ToldEvent, toTriggerEvent } from './event.ts'
import { parseJson } from './json.ts'
import { readS3Records } from './s3-records.ts'
import { readSwiftUpload } from './swift-middleware.ts'

const BODY_BYTES_MAX = 1024 * 1024
/** Stores come in bursts, and the Swift middleware asks only once: a flood is what is far above that. */
const REQUESTS: GateLimits = { ratePerS: 1_000, burst: 5_000, inHandMax: 200 }
/** Refused requests that are told in the trigger's state: whoever sends them must not write there all the time. */
const REFUSALS_NOTED: GateLimits = { ratePerS: 1, burst: 10, inHandMax: 1 }

/** Takes what Swift's middleware or an S3 server sends to the trigger's URL; answers when the calls are durable. */
export class Receiver implements RunningTrigger {
  readonly #config: ObjectConfig
  readonly #host: TriggerHost
  readonly #gate: HookGate
  readonly #refusals: HookGate

  constructor(trigger: EventTrigger, host: TriggerHost) {
    this.#config = trigger.config as ObjectConfig
    this.#host = host
    this.#gate = new HookGate(REQUESTS, host.clock)
    this.#refusals = new HookGate(REFUSALS_NOTED, host.clock)
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  async receive(request: HookRequest): Promise<HookAnswer> {
    const isS3 = this.#config.source === 's3'
    // MinIO asks in this way whether somebody is there.
    if (isS3 && request.method === 'HEAD') return { status: 200 }
    if (request.method !== 'POST')
      throw new AtelierError('METHOD_NOT_ALLOWED', 'Events of objects are sent by POST.')
    return this.#gate.through(() => this.#take(request))
  }

  async #take(request: HookRequest): Promise<HookAnswer> {
    const { told, unwanted } = this.#read(request)
    const wanted = told.filter(each => isWanted(this.#config, each.happened))
    const filtered = unwanted + told.length - wanted.length
    if (filtered > 0) this.#host.filtered(filtered)
    if (wanted.length > 0) await this.#host.deliver(wanted.map(toTriggerEvent))
    return {
      status: 202,
      headers: ['content-type', 'application/json'],
      body: JSON.stringify({ accepted: wanted.length, filtered }),
    }
  }

  /** What is refused is told in the trigger's state: nothing else says that somebody tried. */
  #read(request: HookRequest): Told {
    try {
      return this.#parse(request)
    } catch (error) {
      this.#refusals.through(async () => this.#host.failed(error)).catch(() => undefined) // enough was told
      throw error
    }
  }

  #parse(request: HookRequest): Told {
    const { body, receivedAt } = request
    if (this.#config.source === 's3') checkToken(this.#config.s3?.token, request)
    if (body.length > BODY_BYTES_MAX)
      throw new AtelierError('BODY_TOO_LARGE', `An event of an object has at most ${BODY_BYTES_MAX} bytes.`)
    const parsed = parseJson(body, 'The body')
    if (this.#config.source === 's3') return readS3Records(parsed, this.#config, receivedAt)
    const upload = readSwiftUpload(parsed, this.#config, receivedAt, randomUUID())
    return upload === 'unwanted' ? { told: [], unwanted: 1 } : { told: [upload], unwanted: 0 }
  }
}

interface Told {
  readonly told: readonly ToldEvent[]
  readonly unwanted: number
}

/** MinIO sends its `auth_token` as a bearer token or bare, Ceph RGW the user and password of its URL. */
function checkToken(expected: string | undefined, { headers }: HookRequest): void {
  if (expected === undefined) return
  const at = headers.findIndex((name, index) => index % 2 === 0 && name === 'authorization')
  const given = at < 0 ? '' : headers[at + 1]!
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(given) ?? []
  const shown =
    scheme?.toLowerCase() === 'basic'
      ? Buffer.from(value!, 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
      : (value ?? given)
  if (!isOneOf(shown, [expected]))
    throw new AtelierError(
      'UNAUTHENTICATED',
      'The sender does not show the token of this trigger (s3.token).',
    )
}
