import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  RawNode,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { SqliteConnection } from './connection.ts'
import type { Mutex } from './mutex.ts'

/** Kysely on one connection that does transactions: the caller holds the mutex. */
export function transactionDialect(writer: SqliteConnection): Dialect {
  return dialectOf(() => new TransactionDriver(writer))
}

/**
 * Kysely for everything outside transactions. SQLite has one writer, and a statement given to a connection in the
 * middle of somebody's transaction becomes part of it: so reads have a connection of their own, which sees what is
 * committed, and a write waits for its turn.
 */
export function plainDialect(reader: SqliteConnection, writer: SqliteConnection, mutex: Mutex): Dialect {
  return dialectOf(() => new PlainDriver(new PlainConnection(reader, writer, mutex)))
}

function dialectOf(createDriver: () => Driver): Dialect {
  return {
    createDriver,
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class TransactionDriver implements Driver {
  readonly #writer: SqliteConnection

  constructor(writer: SqliteConnection) {
    this.#writer = writer
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#writer
  }

  // Immediate: a transaction that begins by reading could not become a writer when another process wrote meanwhile.
  async beginTransaction(): Promise<void> {
    this.#writer.exec('begin immediate')
  }

  async commitTransaction(): Promise<void> {
    this.#writer.exec('commit')
  }

  // A full disk makes SQLite roll back by itself; rolling back again would hide that error behind another.
  async rollbackTransaction(): Promise<void> {
    if (this.#writer.inTransaction) this.#writer.exec('rollback')
  }

  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class PlainDriver implements Driver {
  readonly #connection: DatabaseConnection

  constructor(connection: DatabaseConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async beginTransaction(): Promise<void> {
    throw new Error('Transactions go through store.transaction')
  }

  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class PlainConnection implements DatabaseConnection {
  readonly #reader: SqliteConnection
  readonly #writer: SqliteConnection
  readonly #mutex: Mutex

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

  streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    return this.#reader.streamQuery<R>(query)
  }
}

function isRead({ query, sql }: CompiledQuery): boolean {
  return SelectQueryNode.is(query) || (RawNode.is(query) && /^\s*select\b/i.test(sql))
}
