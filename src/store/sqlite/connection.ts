import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { streamQuery } from '../statement.ts'
import { asStoreError } from './errors.ts'

const STATEMENTS_MAX = 500 // prepared statements kept; the product's own are fewer, lists with filters add some

interface Prepared {
  readonly statement: StatementSync
  readonly returnsRows: boolean
}

/** One SQLite connection as Kysely wants it. Preparing costs as much as running, so statements are kept. */
export class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #prepared = new Map<string, Prepared>()
  readonly streamQuery = streamQuery

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  exec(sql: string): void {
    try {
      this.#database.exec(sql)
    } catch (error) {
      throw asStoreError(error)
    }
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return new Promise(resolve => resolve(this.#run<R>(query)))
  }

  close(): void {
    this.#prepared.clear()
    this.#database.close()
  }

  #run<R>(query: CompiledQuery): QueryResult<R> {
    const parameters = query.parameters as SQLInputValue[]
    try {
      const { statement, returnsRows } = this.#prepare(query.sql)
      if (returnsRows) return { rows: statement.all(...parameters) as R[] }
      const { changes } = statement.run(...parameters)
      return { rows: [], numAffectedRows: BigInt(changes) }
    } catch (error) {
      throw asStoreError(error)
    }
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql)
    if (prepared) this.#prepared.delete(sql)
    else {
      const statement = this.#database.prepare(sql)
      prepared = { statement, returnsRows: statement.columns().length > 0 }
      const [oldest] = this.#prepared.keys()
      if (this.#prepared.size >= STATEMENTS_MAX && oldest !== undefined) this.#prepared.delete(oldest)
    }
    this.#prepared.set(sql, prepared)
    return prepared
  }
}
