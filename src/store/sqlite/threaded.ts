import { AsyncLocalStorage } from 'node:async_hooks'
import { chmodSync } from 'node:fs'
import { type CompiledQuery, type DatabaseConnection, Kysely, type QueryResult } from 'kysely'
import type { Layout } from '../migrations/index.ts'
import { migrate } from '../migrations/migrate.ts'
import { Mutex } from '../mutex.ts'
import type { Store, StoreOptions } from '../store.ts'
import { backupSqlite } from './backup.ts'
import { dialectOf, isRead } from './driver.ts'
import { lockFile } from './lock.ts'
import { BUSY_TIMEOUT_MS, CONNECTION_SETUP, makeFolder, notOurs } from './open.ts'
import { SqliteThread } from './thread.ts'

/** The store in one SQLite file that a thread of its own reads and writes; see `openEventStore`. */
export async function openThreadedSqlite<T>(
  path: string,
  options: StoreOptions,
  layout: Layout<T>,
): Promise<Store<T>> {
  makeFolder(path)
  const unlock = lockFile(path)
  let thread: SqliteThread | undefined
  try {
    thread = await SqliteThread.start({
      path,
      busyTimeoutMs: BUSY_TIMEOUT_MS,
      setup: CONNECTION_SETUP,
      bytesMax: options.sizeBytesMax,
    })
    chmodSync(path, 0o600)
    const store = storeOf<T>(path, thread, unlock)
    await migrate(store, layout)
    return store
  } catch (error) {
    await thread?.close()
    unlock()
    throw notOurs(path, error)
  }
}

function storeOf<T>(path: string, thread: SqliteThread, unlock: () => void): Store<T> {
  const mutex = new Mutex()
  const nested = new AsyncLocalStorage<true>()
  const inTransaction = connection(query => thread.run('write', query))
  const writing = (relaxed: boolean) =>
    new Kysely<T>({
      dialect: dialectOf({
        connection: inTransaction,
        begin: () => thread.begin(relaxed),
        commit: () => thread.end('commit'),
        rollback: () => thread.end('rollback'),
      }),
    })
  const full = writing(false)
  const relaxed = writing(true)
  const plain = connection(async query => {
    if (isRead(query)) return thread.run('read', query)
    const release = await mutex.acquire()
    try {
      return await thread.run('write', query)
    } finally {
      release()
    }
  })
  return {
    db: new Kysely<T>({ dialect: dialectOf({ connection: plain }) }),
    dialect: 'sqlite',
    async transaction(work, options = {}) {
      if (nested.getStore()) throw new Error('A transaction within a transaction would wait for itself')
      const release = await mutex.acquire()
      try {
        return await nested.run(true, () => (options.relaxed ? relaxed : full).transaction().execute(work))
      } finally {
        release()
      }
    },
    backup: target => backupSqlite(path, target),
    async close() {
      const release = await mutex.acquire()
      await thread.close()
      unlock()
      release()
    },
  }
}

function connection(run: (query: CompiledQuery) => Promise<QueryResult<unknown>>): DatabaseConnection {
  return {
    executeQuery: <R>(query: CompiledQuery) => run(query) as Promise<QueryResult<R>>,
    streamQuery() {
      throw new Error('Rows are not streamed from this store: read them in pages.')
    },
  }
}
