import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import { migrate } from '../migrations/migrate.ts'
import type { Layout } from '../migrations/migration.ts'
import { Mutex } from '../mutex.ts'
import type { Store } from '../store.ts'
import { GivenUp, serverDialect } from './driver.ts'
import { asServerError } from './errors.ts'
import type { Engine, Wire } from './wire.ts'

const ATTEMPTS_MAX = 8 // of a transaction that the server gives up for the sake of others
const PAUSE_MS_MAX = 100
const TABLES_LOCK_WAIT_S = 60

/**
 * The store in a database of a server; see `openStore`. Its tables are made and changed by one process at a time. Closes
 * `engine` when it fails.
 */
export async function openServerStore<T>(engine: Engine, layout: Layout<T>): Promise<Store<T>> {
  try {
    const wire = await takeTables(engine)
    try {
      await migrate(storeOf<T>(engine, undefined), layout)
    } finally {
      await engine.unlock(wire).then(
        () => wire.release(false),
        () => wire.release(true), // which gives the lock back
      )
    }
    return storeOf<T>(engine, layout.notes)
  } catch (error) {
    const known = asServerError(engine, error)
    await engine.close().catch(() => {})
    throw known
  }
}

/** A connection that holds the lock under which tables are made and changed. */
async function takeTables(engine: Engine): Promise<Wire> {
  const wire = await engine.connect()
  const isTaken = await engine.lock(wire, TABLES_LOCK_WAIT_S).catch((error: unknown) => {
    wire.release(true)
    throw error
  })
  if (isTaken) return wire
  wire.release(true)
  throw new AtelierError(
    'UNAVAILABLE',
    `The database ${engine.place} is being changed by another server; try again.`,
  )
}

/** `turn`: what transactions of all nodes wait for, so that they run one after the other; none while tables are made. */
function storeOf<T>(engine: Engine, turn: string | undefined): Store<T> {
  const mutex = new Mutex()
  const nested = new AsyncLocalStorage<true>()
  const writing = (relaxed: boolean) =>
    new Kysely<T>({ dialect: serverDialect(engine, { turn, relaxed, isForgiving: turn === undefined }) })
  const full = writing(false)
  const relaxed = writing(true)
  return {
    db: new Kysely<T>({ dialect: serverDialect(engine) }),
    dialect: engine.name,
    async transaction(work, options = {}) {
      if (nested.getStore()) throw new Error('A transaction within a transaction would wait for itself')
      const release = await mutex.acquire()
      try {
        for (let attempt = 1; ; attempt++) {
          try {
            return await nested.run(true, () =>
              (options.relaxed ? relaxed : full).transaction().execute(work),
            )
          } catch (error) {
            if (!(error instanceof GivenUp)) throw error
            if (attempt >= ATTEMPTS_MAX) throw error.error
            await sleep(Math.random() * PAUSE_MS_MAX)
          }
        }
      } finally {
        release()
      }
    },
    async backup() {
      const program = engine.name === 'mysql' ? 'mysqldump --single-transaction' : 'pg_dump'
      throw new AtelierError(
        'INVALID_INPUT',
        `The store is the database ${engine.place}, which Atelier does not copy: back it up with ${program}.`,
      )
    },
    async close() {
      const release = await mutex.acquire()
      await engine.close()
      release()
    },
  }
}
