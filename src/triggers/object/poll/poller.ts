import { AtelierError, type EventTrigger } from '../../../core/index.ts'
import type { RunningTrigger, TriggerEvent, TriggerHost } from '../../kind.ts'
import type { ObjectConfig } from '../config.ts'
import { idFrom, isWanted, type ObjectEvent, toTriggerEvent } from '../event.ts'
import { deliverPatiently, pause } from '../patience.ts'
import { INTERVAL_MS_DEFAULT, type PollConfig } from './config.ts'
import type { HttpClient } from './http.ts'
import type { Listing } from './listing.ts'
import { compare, type Difference } from './memory.ts'
import { S3Listing } from './s3.ts'
import { SwiftListing } from './swift.ts'

/** Events that become calls in one transaction. */
const TOGETHER_MAX = 200

/** Lists a container again and again; what is different from the time before becomes events. */
export class Poller implements RunningTrigger {
  readonly leads = true
  readonly #config: ObjectConfig
  readonly #poll: PollConfig
  readonly #container: string
  readonly #listing: Listing
  readonly #host: TriggerHost
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #nextAt: number | undefined
  #last: { readonly at: number; readonly objects: number } | undefined

  constructor(trigger: EventTrigger, host: TriggerHost, http: HttpClient) {
    const config = trigger.config as ObjectConfig
    this.#config = config
    this.#poll = config.poll!
    this.#container = config.container!
    this.#host = host
    this.#listing =
      this.#poll.s3 === undefined
        ? new SwiftListing(this.#poll.swift!, this.#container, http)
        : new S3Listing(this.#poll.s3, this.#container, http, host.clock)
    this.#ended = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new AtelierError('UNAVAILABLE', 'The trigger stops.'))
    await this.#ended
  }

  view(): { readonly nextAt?: readonly number[]; readonly details?: Readonly<Record<string, unknown>> } {
    return {
      ...(this.#nextAt !== undefined && { nextAt: [this.#nextAt] }),
      ...(this.#last && { details: { listedAt: this.#last.at, objects: this.#last.objects } }),
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const intervalMs = this.#poll.intervalMs ?? INTERVAL_MS_DEFAULT
    await Promise.resolve() // the one who starts it has not got it yet
    while (!signal.aborted) {
      this.#nextAt = undefined
      try {
        if (this.#host.isLeader()) await this.#once(signal)
      } catch (error) {
        if (!signal.aborted) this.#host.failed(error)
      }
      this.#nextAt = this.#host.clock.now() + intervalMs
      await pause(this.#host.clock, intervalMs, signal)
    }
  }

  /** One listing. What it found is remembered only when all of it has been accepted; told again it is a duplicate. */
  async #once(signal: AbortSignal): Promise<void> {
    const { prefix = '' } = this.#config
    const { first = 'new-only', events = ['new', 'changed'] } = this.#poll
    const of = idFrom(this.#listing.source, this.#container, prefix)
    const before = await this.#host.load()
    const comparison = compare(before, { of, first, events })
    let objects = 0
    let after: string | undefined
    do {
      const page = await this.#listing.page(prefix, after, signal)
      objects += page.objects.length
      await this.#tell(comparison.see(page.objects), signal)
      if (page.next !== undefined && page.next === after)
        throw new AtelierError('UNAVAILABLE', 'The listing does not go on: its pages repeat.')
      after = page.next
    } while (after !== undefined)
    const now = this.#host.clock.now()
    const { gone, memory } = comparison.end(now)
    await this.#tell(gone, signal)
    if (JSON.stringify(memory) !== JSON.stringify(before)) await this.#host.save(memory)
    this.#last = { at: now, objects }
    this.#host.healthy()
  }

  async #tell(differences: readonly Difference[], signal: AbortSignal): Promise<void> {
    const happened = differences.map(each => ({ ...each, happened: this.#happened(each) }))
    const wanted = happened.filter(each => isWanted(this.#config, each.happened))
    if (wanted.length < happened.length) this.#host.filtered(happened.length - wanted.length)
    for (let at = 0; at < wanted.length; at += TOGETHER_MAX) {
      const batch = wanted.slice(at, at + TOGETHER_MAX)
      await deliverPatiently(
        this.#host,
        batch.map(each => this.#event(each.happened, each.version)),
        signal,
      )
    }
  }

  #happened({ object, change }: Difference): ObjectEvent {
    return {
      event: change === 'deleted' ? 'deleted' : 'written',
      container: this.#container,
      object: object.name,
      timeMs: object.modifiedMs ?? this.#host.clock.now(),
      ...(object.sizeBytes !== undefined && { sizeBytes: object.sizeBytes }),
      ...(object.etag !== undefined && { etag: object.etag }),
      ...(object.contentType !== undefined && { contentType: object.contentType }),
      ...(change !== undefined && { change }),
    }
  }

  #event(happened: ObjectEvent, version: string): TriggerEvent {
    const { source } = this.#listing
    const id = idFrom(source, happened.container, happened.object, happened.event, version)
    return toTriggerEvent({ id, source, happened })
  }
}
