import { type EventFilter, matchesAttributes } from '../../cloudevents/index.ts'
import { newId } from '../../core/index.ts'
import type { RunningTrigger, TriggerEvent, TriggerHost } from '../kind.ts'
import type { QueueConfig } from './config.ts'
import { Consumer } from './consumer.ts'
import { Hand } from './hand.ts'
import { Link } from './link.ts'
import { eventOf, type Origin, unfitReason } from './messages.ts'
import type { Delivery, Source } from './source.ts'

/** How long a trigger that stops lets its calls finish, so that their messages are acknowledged and not repeated. */
const STOP_GRACE_MS = 5_000

export interface ReaderOptions {
  readonly config: QueueConfig
  readonly source: Source
  readonly origin: Origin
  readonly host: TriggerHost
  readonly chance?: () => number
}

/** A queue trigger that runs: a link to its source, a hand, and a consumer that empties it. */
export function startReader({ config, source, origin, host, chance }: ReaderOptions): RunningTrigger {
  const { clock } = host
  const hand = new Hand(clock)
  const cutOff = new AbortController()
  const filters = (config.filter ?? []) as readonly EventFilter[]
  const consumer = new Consumer({
    config,
    host,
    hand,
    session: () => link.session,
    signal: cutOff.signal,
    ...(chance && { chance }),
  })
  let stopping = false

  const onDelivery = (delivery: Delivery): void => {
    if (stopping) return delivery.giveBack()
    if (hand.knows(delivery)) return
    const { message } = delivery
    const event = eventOf(message, origin, clock.now(), newId(clock.now()))
    const unfit = unfitReason(message)
    if (!filters.every(filter => matchesAttributes(filter, name => attributeOf(event, name)))) {
      host.filtered(1)
      return delivery.ack()
    }
    const item = {
      delivery,
      session: hand.session,
      event,
      key: message.key,
      bytes: message.data.length,
      arrivedAt: clock.monotonic(),
      attempts: 0,
      alone: false,
      ...(unfit && { unfit }),
    }
    hand.add(item)
    consumer.take(item)
  }

  const link = new Link(
    source,
    origin.source,
    {
      onUp: session => {
        hand.begin(session)
        host.healthy()
        consumer.pump()
      },
      onDelivery,
      onDown: () => {
        if (stopping) return
        hand.end()
        consumer.sessionLost()
      },
      onProblem: error => host.failed(error),
    },
    clock,
    chance,
  )

  return {
    async stop() {
      stopping = true
      hand.allow(0)
      const cancel = clock.after(STOP_GRACE_MS, () => cutOff.abort())
      await consumer.stop()
      cancel()
      hand.giveBack()
      hand.end()
      await link.close()
    },
    view: () => {
      const lag = link.session?.lag()
      return {
        details: {
          source: config.source,
          connection: link.state,
          connectionsLost: link.losses,
          inHand: hand.count,
          running: consumer.running,
          retrying: consumer.retrying,
          ...(lag !== undefined && { lag }),
          ...consumer.counters,
        },
      }
    },
  }
}

/** An attribute of an event by its CloudEvents name, for filters; else the message's own header of that name. */
function attributeOf(event: TriggerEvent, name: string): string | undefined {
  switch (name) {
    case 'id':
    case 'source':
    case 'type':
    case 'subject':
      return event[name]
    case 'datacontenttype':
      return event.contentType
    case 'time':
      return new Date(event.time).toISOString()
    default:
      if (event.extensions && Object.hasOwn(event.extensions, name)) return event.extensions[name]
      return headerOf(event.headers ?? [], name) ?? headerOf(event.facts ?? [], name)
  }
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}
