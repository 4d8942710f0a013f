import { createHash } from 'node:crypto'
import { AtelierError, type Clock, newId, type Principal, timeOfId } from '../core/index.ts'
import type { Nodes } from '../nodes/index.ts'
import type { Store } from '../store/index.ts'

const KEPT_MS = 24 * 3_600_000
const NEW_NODE_MS = 15_000
const KEYS_PER_OWNER_MAX = 1_000 // the oldest is forgotten when one more comes
const CLEAN_AT_ONCE_MAX = 200 // rows removed with one new key: more than come in, and still a short transaction

export interface StoredAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface KeptAnswer extends StoredAnswer {
  /** Of the request that it answered. */
  readonly fingerprint: string
}

/** Remembers what was answered to a key, for a day and over restarts. */
export class IdempotencyStore {
  readonly #store: Store
  readonly #clock: Clock
  readonly #process: string
  readonly #nodes: Pick<Nodes, 'id' | 'entries'> | undefined

  /** `nodes`: who else runs requests on this store. */
  constructor(store: Store, clock: Clock, nodes?: Pick<Nodes, 'id' | 'entries'>) {
    this.#store = store
    this.#clock = clock
    this.#process = nodes?.id ?? newId(clock.now())
    this.#nodes = nodes
  }

  /**
   * Takes the key for a request; resolves with the answer when one was given before, and with the fingerprint of what it
   * answered, which is the caller's to compare. CONFLICT when the key stands for a request that still runs.
   */
  async begin(by: Principal, key: string, fingerprint: string): Promise<KeptAnswer | undefined> {
    const now = this.#clock.now()
    const id = idOf(by, key)
    return this.#store.transaction(async tx => {
      const row = await tx.selectFrom('idempotency_keys').selectAll().where('id', '=', id).executeTakeFirst()
      if (row && row.expires_at > now && (row.state === 'done' || this.#isAlive(row.process, now))) {
        if (row.state === 'running') {
          if (row.fingerprint !== fingerprint) throw keyOfAnother(key)
          throw new AtelierError(
            'CONFLICT',
            `The request with the idempotency key ${JSON.stringify(key)} is still running; ask again later.`,
            { retryAfterS: 1 },
          )
        }
        return {
          fingerprint: row.fingerprint,
          status: row.status,
          headers: JSON.parse(row.headers_json) as Record<string, string>,
          body: Buffer.from(row.body, 'base64'),
        }
      }
      const owner = ownerOf(by)
      const surplus = await tx
        .selectFrom('idempotency_keys')
        .select('id')
        .where('owner', '=', owner)
        .orderBy('created_at', 'desc')
        .limit(CLEAN_AT_ONCE_MAX)
        .offset(KEYS_PER_OWNER_MAX - 1)
        .execute()
      const expired = await tx
        .selectFrom('idempotency_keys')
        .select('id')
        .where('expires_at', '<=', now)
        .limit(CLEAN_AT_ONCE_MAX)
        .execute()
      const gone = [id, ...surplus.map(each => each.id), ...expired.map(each => each.id)]
      await tx.deleteFrom('idempotency_keys').where('id', 'in', gone).execute()
      const state = {
        state: 'running',
        process: this.#process,
        status: 0,
        headers_json: '{}',
        body: '',
      } as const
      await tx
        .insertInto('idempotency_keys')
        .values({ id, owner, fingerprint, ...state, created_at: now, expires_at: now + KEPT_MS })
        .execute()
      return undefined
    })
  }

  /** Whether what this process began may still be done. One that has just started is not known yet. */
  #isAlive(process: string, now: number): boolean {
    if (process === this.#process) return true
    if (!this.#nodes) return false
    return this.#nodes.entries.some(({ id }) => id === process) || now - timeOfId(process) < NEW_NODE_MS
  }

  /** Keeps the answer; from now on the key stands for it. `fingerprint`: what is known of the request by now. */
  async complete(by: Principal, key: string, answer: StoredAnswer, fingerprint: string): Promise<void> {
    await this.#store.db
      .updateTable('idempotency_keys')
      .set({
        state: 'done',
        fingerprint,
        status: answer.status,
        headers_json: JSON.stringify(answer.headers),
        body: answer.body.toString('base64'),
      })
      .where('id', '=', idOf(by, key))
      .where('process', '=', this.#process)
      .execute()
  }

  /** Gives the key back: nothing was done that a repetition would do twice, or what was done cannot be told. */
  async release(by: Principal, key: string): Promise<void> {
    await this.#store.db
      .deleteFrom('idempotency_keys')
      .where('id', '=', idOf(by, key))
      .where('state', '=', 'running')
      .where('process', '=', this.#process)
      .execute()
  }
}

/** What to throw when a key comes with another request than before. */
export function keyOfAnother(key: string): AtelierError {
  return new AtelierError(
    'CONFLICT',
    `The idempotency key ${JSON.stringify(key)} was used for another request; take a new one.`,
  )
}

function ownerOf(by: Principal): string {
  return `${by.projectId} ${by.userId}`
}

/** What was delegated has keys of its own: it may be good for less than the user, whose answers it must not get. */
function idOf(by: Principal, key: string): string {
  const { delegation } = by
  return createHash('sha256')
    .update(`${ownerOf(by)} ${delegation ? `${delegation.id} ` : ''}${key}`)
    .digest('hex')
}
