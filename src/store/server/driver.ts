import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import { isRead, streamQuery } from '../statement.ts'
import { asServerError } from './errors.ts'
import type { Engine, Wire } from './wire.ts'

/** How the transactions of a dialect run. */
export interface TransactionKind {
  /** See `Engine.begin`. */
  readonly turn: string | undefined
  readonly relaxed: boolean
  /** Whether statements whose work is there already are passed over: a step that was broken off is taken again. */
  readonly isForgiving: boolean
}

/** Kysely over a database server; without `kind` it does no transactions. */
export function serverDialect(engine: Engine, kind?: TransactionKind): Dialect {
  return { ...engine.parts, createDriver: () => new ServerDriver(engine, kind) }
}

class ServerDriver implements Driver {
  readonly #engine: Engine
  readonly #kind: TransactionKind | undefined

  constructor(engine: Engine, kind: TransactionKind | undefined) {
    this.#engine = engine
    this.#kind = kind
  }

  async init(): Promise<void> {}
  async destroy(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#kind ? this.#begun(this.#kind) : new PlainConnection(this.#engine)
  }

  // Begun when it is acquired: a connection that died in the pool is found out before there is anything to lose.
  async #begun(kind: TransactionKind): Promise<DatabaseConnection> {
    for (let attempt = 1; ; attempt++) {
      const wire = await connect(this.#engine)
      try {
        await this.#engine.begin(wire, kind.turn, kind.relaxed)
        return new TransactionConnection(this.#engine, wire, kind.isForgiving)
      } catch (error) {
        wire.release(true)
        if (attempt >= CONNECTIONS_TRIED || this.#engine.trouble(error) !== 'lost')
          throw asServerError(this.#engine, error)
      }
    }
  }

  async beginTransaction(connection: DatabaseConnection, _settings: TransactionSettings): Promise<void> {
    if (!(connection instanceof TransactionConnection))
      throw new Error('Transactions go through store.transaction')
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as TransactionConnection).end('commit')
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as TransactionConnection).end('rollback')
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    if (connection instanceof TransactionConnection) connection.release()
  }
}

const CONNECTIONS_TRIED = 12 // more than a pool holds: all of them die when the server starts anew

/** Each statement by itself, on any connection. */
class PlainConnection implements DatabaseConnection {
  readonly streamQuery = streamQuery
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    for (let attempt = 1; ; attempt++) {
      const wire = await connect(this.#engine)
      try {
        const result = await run<R>(wire, query)
        wire.release(false)
        return result
      } catch (error) {
        const trouble = this.#engine.trouble(error)
        wire.release(trouble === 'lost')
        // A statement that was lost may have been done; one that was given up was not.
        const isHarmless = trouble === 'retry' || (trouble === 'lost' && isRead(query))
        if (attempt >= CONNECTIONS_TRIED || !isHarmless) throw asServerError(this.#engine, error)
      }
    }
  }
}

/** One transaction. After a statement has failed, no other is run: some servers would run it outside of the transaction. */
class TransactionConnection implements DatabaseConnection {
  readonly streamQuery = streamQuery
  readonly #engine: Engine
  readonly #wire: Wire
  readonly #isForgiving: boolean
  #failure: { readonly error: unknown } | undefined
  #isOver = false

  constructor(engine: Engine, wire: Wire, isForgiving: boolean) {
    this.#engine = engine
    this.#wire = wire
    this.#isForgiving = isForgiving
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#failure) throw this.#failure.error
    try {
      return await run<R>(this.#wire, query)
    } catch (error) {
      if (this.#isForgiving && this.#engine.isDoneAlready(error)) return { rows: [] }
      throw this.#failed(error)
    }
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    if (how === 'commit' && this.#failure) throw this.#failure.error
    if (this.#isOver) return
    try {
      await this.#wire.query(how)
      this.#isOver = true
    } catch (error) {
      // Ending the connection rolls back as well.
      if (how === 'commit') throw this.#failed(error)
    }
  }

  release(): void {
    this.#wire.release(!this.#isOver)
  }

  #failed(error: unknown): unknown {
    const known =
      this.#engine.trouble(error) === 'retry'
        ? new GivenUp(asServerError(this.#engine, error))
        : asServerError(this.#engine, error)
    this.#failure ??= { error: known }
    return known
  }
}

/** The server gave the transaction up for the sake of another; `error` is what to tell when it happens again and again. */
export class GivenUp extends Error {
  readonly error: unknown

  constructor(error: unknown) {
    super('The transaction was given up for the sake of another.')
    this.error = error
  }
}

async function connect(engine: Engine): Promise<Wire> {
  try {
    return await engine.connect()
  } catch (error) {
    throw asServerError(engine, error)
  }
}

async function run<R>(wire: Wire, query: CompiledQuery): Promise<QueryResult<R>> {
  const { rows, changed } = await wire.query(query.sql, query.parameters)
  return {
    rows: rows as R[],
    ...(changed !== undefined && { numAffectedRows: BigInt(changed) }),
  }
}
