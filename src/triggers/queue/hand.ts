import type { Clock } from '../../core/index.ts'
import { type Delivery, KEEP_EVERY_MS, type Session } from './source.ts'
import type { Item } from './work.ts'

/** Messages that were handled while their session was lost, remembered until they come again. */
const HANDLED_MAX = 10_000

/**
 * What is in hand: handed over by the session, neither acknowledged nor given back. Knows messages that come again over a
 * new session by their ids, so that they are not handled twice when that can be helped.
 */
export class Hand {
  readonly #clock: Clock
  readonly #items = new Set<Item>()
  readonly #byId = new Map<string, Item>()
  readonly #handled = new Set<string>()
  #bytes = 0
  #session: Session | undefined
  #number = 0
  #allowed = -1
  #keeping: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#items.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The number of the session that messages come over now. */
  get session(): number {
    return this.#number
  }

  begin(session: Session): void {
    this.#session = session
    this.#number++
    this.#allowed = -1
    this.#keep()
  }

  /** The session is gone: what waits is forgotten, what runs is kept for the case that it comes again. */
  end(): void {
    this.#session = undefined
    this.#keeping?.()
    this.#keeping = undefined
  }

  /** True when the delivery is of a message that is in hand or was handled already: nothing is left to do. */
  knows(delivery: Delivery): boolean {
    const { id } = delivery.message
    if (id === undefined) return false
    if (this.#handled.delete(id)) {
      delivery.ack()
      return true
    }
    const item = this.#byId.get(id)
    if (!item) return false
    item.delivery = delivery
    item.session = this.#number
    return true
  }

  add(item: Item): void {
    this.#items.add(item)
    this.#bytes += item.bytes
    const { id } = item.delivery.message
    if (id !== undefined) this.#byId.set(id, item)
  }

  /** Whether its source still waits for it. */
  holds(item: Item): boolean {
    return this.#items.has(item) && item.session === this.#number && this.#session !== undefined
  }

  /** It is handled. */
  done(item: Item): void {
    const live = this.holds(item)
    this.#remove(item)
    if (live) return item.delivery.ack()
    const { id } = item.delivery.message
    if (id === undefined) return
    if (this.#handled.size >= HANDLED_MAX) this.#handled.delete(this.#handled.values().next().value!)
    this.#handled.add(id)
  }

  /** Forgets those that nobody works on any more. */
  drop(items: Iterable<Item>): void {
    for (const item of items) this.#remove(item)
  }

  /** Gives everything back that is still in hand. */
  giveBack(): void {
    for (const item of this.#items) {
      if (this.holds(item)) item.delivery.giveBack()
      this.#remove(item)
    }
  }

  allow(count: number): void {
    if (count === this.#allowed) return
    this.#allowed = count
    this.#session?.setInHandMax(count)
  }

  #remove(item: Item): void {
    if (!this.#items.delete(item)) return
    this.#bytes -= item.bytes
    const { id } = item.delivery.message
    if (id !== undefined && this.#byId.get(id) === item) this.#byId.delete(id)
  }

  #keep(): void {
    this.#keeping?.()
    this.#keeping = this.#clock.after(KEEP_EVERY_MS, () => {
      for (const item of this.#items) if (this.holds(item)) item.delivery.keep?.()
      this.#keep()
    })
  }
}
