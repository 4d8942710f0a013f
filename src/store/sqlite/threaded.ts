import { AsyncLocalStorage } from 'node:async_hooks'
import { chmodSync } from 'node:fs'
import {
  type CompiledQuery,
  type DatabaseConnection,
  Kysely,
  type QueryResult,
  sql,
  type Transaction,
} from 'kysely'
import { migrate } from '../migrations/migrate.ts'
import type { Layout } from '../migrations/migration.ts'
import { Mutex } from '../mutex.ts'
import { isRead, streamQuery } from '../statement.ts'
import type { Store, StoreOptions, TransactionOptions } from '../store.ts'
import { backupSqlite } from './backup.ts'
import type { ConnectionSettings } from './connect.ts'
import { dialectOf } from './driver.ts'
import { StatementsHere } from './here.ts'
import { lockFile } from './lock.ts'
import { makeFolder, notOurs } from './open.ts'
import type { Statements } from './statements.ts'
import { SqliteThread } from './thread.ts'

/**
 * The store in one SQLite file that a thread of its own reads and writes; see `openEventStore`. The thread is there once
 * the file holds something: it costs some 15 MB, which a server that keeps nothing here does without.
 */
export async function openThreadedSqlite<T>(
  path: string,
  options: StoreOptions,
  layout: Layout<T>,
): Promise<Store<T>> {
  makeFolder(path)
  const unlock = lockFile(path)
  const settings = { path, bytesMax: options.sizeBytesMax }
  let here: StatementsHere | undefined
  try {
    here = new StatementsHere(settings)
    chmodSync(path, 0o600)
    const store = new ThreadedStore<T>(settings, here, unlock)
    await migrate(store, layout)
    await store.settle(layout.notes)
    return store
  } catch (error) {
    await here?.close()
    unlock()
    throw notOurs(path, error)
  }
}

class ThreadedStore<T> implements Store<T> {
  readonly db: Kysely<T>
  readonly dialect = 'sqlite'
  readonly #settings: ConnectionSettings
  readonly #unlock: () => void
  readonly #mutex = new Mutex()
  readonly #nested = new AsyncLocalStorage<true>()
  readonly #full: Kysely<T>
  readonly #relaxed: Kysely<T>
  #statements: Statements
  /** Set while the statements run in this thread. */
  #here: StatementsHere | undefined
  /** Rows that were written before anything was to be kept. */
  #rowsBefore = Number.POSITIVE_INFINITY
  #moving: Promise<void> | undefined
  #isClosing = false

  constructor(settings: ConnectionSettings, here: StatementsHere, unlock: () => void) {
    this.#settings = settings
    this.#unlock = unlock
    this.#statements = here
    this.#here = here
    this.db = new Kysely<T>({ dialect: dialectOf({ connection: connection(query => this.#plain(query)) }) })
    this.#full = this.#writing(false)
    this.#relaxed = this.#writing(true)
  }

  /** The tables are up to date: a thread takes over now, or as soon as there is something to keep. */
  async settle(notes: string): Promise<void> {
    this.#rowsBefore = this.#here!.rowsWritten
    if (await this.#holdsRows(notes)) await this.#move()
  }

  async transaction<R>(
    work: (tx: Transaction<T>) => Promise<R>,
    { relaxed = false }: TransactionOptions = {},
  ): Promise<R> {
    if (this.#nested.getStore()) throw new Error('A transaction within a transaction would wait for itself')
    const release = await this.#mutex.acquire()
    try {
      return await this.#nested.run(true, () =>
        (relaxed ? this.#relaxed : this.#full).transaction().execute(work),
      )
    } finally {
      this.#moveIfWritten()
      release()
    }
  }

  backup(target: string): Promise<void> {
    return backupSqlite(this.#settings.path, target)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#moving
    const release = await this.#mutex.acquire()
    this.#here = undefined
    await this.#statements.close()
    this.#unlock()
    release()
  }

  #writing(relaxed: boolean): Kysely<T> {
    return new Kysely<T>({
      dialect: dialectOf({
        connection: connection(query => this.#statements.run('write', query)),
        begin: () => this.#statements.begin(relaxed),
        commit: () => this.#statements.end('commit'),
        rollback: () => this.#statements.end('rollback'),
      }),
    })
  }

  async #plain(query: CompiledQuery): Promise<QueryResult<unknown>> {
    if (isRead(query)) return this.#statements.run('read', query)
    const release = await this.#mutex.acquire()
    try {
      return await this.#statements.run('write', query)
    } finally {
      this.#moveIfWritten()
      release()
    }
  }

  /** The first rows are as durable as all others; only this thread waited for the disk. */
  #moveIfWritten(): void {
    if (this.#here && !this.#moving && !this.#isClosing && this.#here.rowsWritten > this.#rowsBefore)
      this.#moving = this.#move()
        .catch(() => {}) // without a thread everything goes on here, and the next write tries again
        .finally(() => (this.#moving = undefined))
  }

  async #move(): Promise<void> {
    const thread = await SqliteThread.start(this.#settings)
    try {
      // Reads are over as soon as they are asked for; writes hold the mutex.
      const release = await this.#mutex.acquire()
      const here = this.#here
      this.#statements = thread
      this.#here = undefined
      await here?.close()
      release()
    } catch (error) {
      await thread.close()
      throw error
    }
  }

  async #holdsRows(notes: string): Promise<boolean> {
    const { rows: tables } = await sql<{ name: string }>`
      select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name <> ${notes}`.execute(
      this.db,
    )
    for (const { name } of tables) {
      const { rows } = await sql`select 1 from ${sql.table(name)} limit 1`.execute(this.db)
      if (rows.length > 0) return true
    }
    return false
  }
}

function connection(run: (query: CompiledQuery) => Promise<QueryResult<unknown>>): DatabaseConnection {
  return {
    executeQuery: <R>(query: CompiledQuery) => run(query) as Promise<QueryResult<R>>,
    streamQuery,
  }
}
