import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Mutex } from '../mutex.ts'
import { isRead, streamQuery } from '../statement.ts'
import type { SqliteConnection } from './connection.ts'

/** What Kysely needs of a database that has one connection for it. */
interface Parts {
  readonly connection: DatabaseConnection
  readonly begin?: () => void
  readonly commit?: () => Promise<void> | void
  readonly rollback?: () => Promise<void> | void
}

/** Kysely on one connection that does transactions: the caller holds the mutex. */
export function transactionDialect(writer: SqliteConnection): Dialect {
  return dialectOf({
    connection: writer,
    // Immediate: a transaction that begins by reading could not become a writer when another process wrote meanwhile.
    begin: () => writer.exec('begin immediate'),
    commit: () => writer.exec('commit'),
    // A full disk makes SQLite roll back by itself; rolling back again would hide that error behind another.
    rollback: () => {
      if (writer.inTransaction) writer.exec('rollback')
    },
  })
}

/**
 * Kysely for everything outside transactions. SQLite has one writer, and a statement given to a connection in the
 * middle of somebody's transaction becomes part of it: so reads have a connection of their own, which sees what is
 * committed, and a write waits for its turn.
 */
export function plainDialect(reader: SqliteConnection, writer: SqliteConnection, mutex: Mutex): Dialect {
  return dialectOf({ connection: new PlainConnection(reader, writer, mutex) })
}

/** The dialect around `parts`; without `begin` it does no transactions. */
export function dialectOf(parts: Parts): Dialect {
  return {
    createDriver: () => new PartsDriver(parts),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class PartsDriver implements Driver {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#parts.connection
  }

  async beginTransaction(): Promise<void> {
    if (!this.#parts.begin) throw new Error('Transactions go through store.transaction')
    this.#parts.begin()
  }

  async commitTransaction(): Promise<void> {
    await this.#parts.commit?.()
  }

  async rollbackTransaction(): Promise<void> {
    await this.#parts.rollback?.()
  }

  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class PlainConnection implements DatabaseConnection {
  readonly #reader: SqliteConnection
  readonly #writer: SqliteConnection
  readonly #mutex: Mutex
  readonly streamQuery = streamQuery

  constructor(reader: SqliteConnection, writer: SqliteConnection, mutex: Mutex) {
    this.#reader = reader
    this.#writer = writer
    this.#mutex = mutex
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (isRead(query)) return this.#reader.executeQuery<R>(query)
    const release = await this.#mutex.acquire()
    try {
      return await this.#writer.executeQuery<R>(query)
    } finally {
      release()
    }
  }
}
