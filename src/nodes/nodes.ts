import type { Transaction } from 'kysely'
import { type Clock, newId } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import { Feed, type News, type Note } from './feed.ts'
import { agreeOnKey } from './key-fact.ts'
import { Peers } from './peers.ts'
import { type NodeEntry, Roll } from './roll.ts'
import { Shelf } from './shelf.ts'
import { nodeKey } from './signature.ts'

const NEWS_EVERY_MS = 250
const BEAT_EVERY_MS = 2_000
const TELL_RIGHTS_MS = 20 // changes of rights that come together are one piece of news

/** What `openNodes` stands on. */
export interface NodesOptions {
  readonly store: Store
  readonly clock: Clock
  readonly version: string
  /** Keys that all nodes have; see `agreeOnKey`. */
  readonly secrets: readonly Uint8Array[]
  /** Where they are, for messages. */
  readonly secretsPath: string
  readonly onProblem: (message: string, cause: unknown) => void
}

/** What a node does with what others say. */
export interface NewsReader {
  /** Rejects when it could not be read now: then it is told again. */
  onNews(news: News): Promise<void>
  /** This node leads from now on: what only one may do is its to do. */
  onLead(): void
}

/**
 * One of several servers on one database: what it tells the others, and what it learns of them. Opened before the table is
 * loaded; `join` when the server can be reached.
 */
export interface Nodes {
  readonly id: string
  /** Whether this node runs what only one may. */
  readonly isLeader: boolean
  /** All that are alive, this one included. */
  readonly entries: readonly NodeEntry[]
  readonly shelf: Shelf
  readonly peers: Peers
  /** Tells the others of a commit, within its transaction. */
  tell(tx: Transaction<Tables>, note: Note): Promise<void>
  /** Tells the others soon that what they know of anybody's rights is old. */
  tellRights(): void
  /** Reads news from now on. */
  follow(reader: NewsReader): void
  /** `url`: where the others reach this node's API. */
  join(url: string): Promise<void>
  /** Leads no more, before it stops. */
  resign(): Promise<void>
  close(): Promise<void>
}

/** Rejects with INVALID_INPUT when the others have another key. */
export async function openNodes(options: NodesOptions): Promise<Nodes> {
  await agreeOnKey(options.store, options.secrets, options.secretsPath)
  const nodes = new RunningNodes(options)
  await nodes.open()
  return nodes
}

class RunningNodes implements Nodes {
  readonly id: string
  readonly shelf: Shelf
  readonly peers: Peers
  readonly #options: NodesOptions
  readonly #feed: Feed
  readonly #startedAt: number
  #roll: Roll | undefined
  #reader: NewsReader | undefined
  #wasLeader = false
  #isClosed = false
  #stopTelling: (() => void) | undefined
  /** What could not be handed on yet. */
  #pending: News = { notes: [], missed: false }
  readonly #loops: { stop(): Promise<void> }[] = []

  constructor(options: NodesOptions) {
    const { store, clock, secrets } = options
    this.#options = options
    this.#startedAt = clock.now()
    this.id = newId(this.#startedAt)
    this.shelf = new Shelf(store, clock)
    this.#feed = new Feed(store, this.id, clock)
    this.peers = new Peers({
      keys: secrets.map(nodeKey),
      clock,
      urls: () => this.entries.filter(({ id }) => id !== this.id).map(({ url }) => url),
      onProblem: options.onProblem,
    })
  }

  open(): Promise<void> {
    return this.#feed.begin()
  }

  get isLeader(): boolean {
    return this.#roll?.isLeader ?? false
  }

  get entries(): readonly NodeEntry[] {
    return this.#roll?.entries ?? []
  }

  tell(tx: Transaction<Tables>, note: Note): Promise<void> {
    return this.#feed.tell(tx, note)
  }

  tellRights(): void {
    this.#tellRightsIn(TELL_RIGHTS_MS)
  }

  follow(reader: NewsReader): void {
    this.#reader = reader
    this.#loop(NEWS_EVERY_MS, 'What other nodes have changed cannot be read.', () => this.#readNews())
  }

  async join(url: string): Promise<void> {
    const { store, clock, version } = this.#options
    this.#roll = new Roll(store, clock, { id: this.id, url, version, startedAt: this.#startedAt })
    await this.#round()
    this.#loop(BEAT_EVERY_MS, 'This node cannot tell the others that it is alive.', () => this.#round())
  }

  async resign(): Promise<void> {
    await this.#roll?.resign().catch(() => {}) // then the others notice
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#stopTelling) {
      this.#stopTelling()
      await this.#tellRightsNow().catch(() => {}) // then what they know ends by itself
    }
    await Promise.all(this.#loops.map(each => each.stop()))
    await this.#roll?.leave().catch(() => {}) // then the others notice
  }

  #tellRightsIn(delayMs: number): void {
    const { clock, onProblem } = this.#options
    this.#stopTelling ??= clock.after(delayMs, () => {
      this.#stopTelling = undefined
      this.#tellRightsNow().catch((error: unknown) => {
        onProblem('Other nodes could not be told of changed rights; it is tried again.', error)
        // Until they know, somebody may do there what he may do no longer.
        if (!this.#isClosed) this.#tellRightsIn(BEAT_EVERY_MS)
      })
    })
  }

  #tellRightsNow(): Promise<void> {
    return this.#options.store.transaction(tx => this.tell(tx, { rights: true }))
  }

  async #readNews(): Promise<void> {
    const news = await this.#feed.news()
    this.#pending = {
      notes: [...this.#pending.notes, ...news.notes],
      missed: this.#pending.missed || news.missed,
    }
    const pending = this.#pending
    if (pending.notes.length === 0 && !pending.missed) return
    await this.#reader?.onNews(pending)
    this.#pending = { notes: [], missed: false }
  }

  async #round(): Promise<void> {
    await this.#roll!.round()
    const { isLeader } = this
    if (isLeader && !this.#wasLeader) this.#reader?.onLead()
    this.#wasLeader = isLeader
  }

  /** Does it again and again; a database that does not answer is told of once. */
  #loop(everyMs: number, problem: string, work: () => Promise<void>): void {
    const { clock, onProblem } = this.#options
    let isStopped = false
    let isFailing = false
    let cancel = (): void => {}
    let running = Promise.resolve()
    const round = async (): Promise<void> => {
      try {
        await work()
        isFailing = false
      } catch (error) {
        if (!isFailing && !isStopped) onProblem(problem, error)
        isFailing = true
      }
      plan()
    }
    const plan = (): void => {
      if (!isStopped)
        cancel = clock.after(everyMs, () => {
          running = round()
        })
    }
    plan()
    this.#loops.push({
      stop() {
        isStopped = true
        cancel()
        return running
      },
    })
  }
}
