import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { type ConnectionSettings, connect } from './connect.ts'
import type { Parcel } from './parcel.ts'

/** Statements have places, so that their text travels once. A new text in a place takes it over. */
export type Job =
  | {
      readonly kind: 'write' | 'read'
      readonly place: number
      readonly text?: string
      readonly values: unknown[]
    }
  | { readonly kind: 'begin'; readonly relaxed: boolean }
  | { readonly kind: 'commit' | 'rollback' }
  | { readonly kind: 'close' }

export interface Done {
  /** With the first answer of a statement that gives rows. */
  readonly columns?: readonly string[]
  readonly rows?: readonly (readonly unknown[])[]
  readonly changes?: number
  readonly problem?: SqlProblem
}

/** An error of SQLite on its way between threads. */
export interface SqlProblem {
  readonly message: string
  readonly errcode: number | undefined
  readonly stack: string | undefined
}

interface Prepared {
  readonly statement: StatementSync
  readonly columns: readonly string[]
}

type Statements = (Prepared | undefined)[]

/** The two connections to a file: one writes, the other sees only what is committed. */
export class Connections {
  readonly #writer: DatabaseSync
  readonly #reader: DatabaseSync
  readonly #writes: Statements = []
  readonly #reads: Statements = []
  #inTransaction = false
  #isRelaxed = false
  /** Why the transaction cannot go on: what was sent after the statement that failed must not run outside of it. */
  #broken: SqlProblem | undefined

  constructor(settings: ConnectionSettings) {
    this.#writer = connect(settings)
    try {
      this.#reader = connect(settings)
    } catch (error) {
      this.#writer.close()
      throw error
    }
    this.#reader.exec('pragma query_only = on')
  }

  /** Rows that have been written since the connection was opened. */
  get rowsWritten(): number {
    return Number(this.#writer.prepare('select total_changes() as n').get()?.['n'])
  }

  close(): void {
    this.#reader.close()
    this.#writer.close()
  }

  /** `parcel` takes the bytes of an answer that goes to another thread. */
  run(job: Exclude<Job, { kind: 'close' }>, parcel?: Parcel): Done {
    if (this.#broken && (job.kind === 'write' || job.kind === 'commit')) return { problem: this.#broken }
    try {
      return this.#attempt(job, parcel)
    } catch (thrown) {
      const problem = problemOf(thrown)
      if (this.#inTransaction && job.kind !== 'read') this.#broken = problem
      return { problem }
    }
  }

  #attempt(job: Exclude<Job, { kind: 'close' }>, parcel: Parcel | undefined): Done {
    switch (job.kind) {
      case 'begin':
        this.#inTransaction = true
        this.#isRelaxed = job.relaxed
        if (job.relaxed) this.#writer.exec('pragma synchronous = normal')
        // Immediate: a transaction that begins by reading could not become a writer when another process wrote meanwhile.
        this.#writer.exec('begin immediate')
        return {}
      case 'commit':
        this.#writer.exec('commit')
        this.#leave()
        return {}
      case 'rollback':
        // A full disk makes SQLite roll back by itself.
        if (this.#writer.isTransaction) this.#writer.exec('rollback')
        this.#leave()
        return {}
      case 'write':
        return run(this.#writer, this.#writes, job, parcel)
      case 'read':
        return run(this.#reader, this.#reads, job, parcel)
    }
  }

  #leave(): void {
    this.#inTransaction = false
    this.#broken = undefined
    if (this.#isRelaxed) this.#writer.exec('pragma synchronous = full')
    this.#isRelaxed = false
  }
}

function run(
  database: DatabaseSync,
  statements: Statements,
  { place, text, values }: Job & { readonly kind: 'write' | 'read' },
  parcel: Parcel | undefined,
): Done {
  if (text !== undefined) {
    statements[place] = undefined // or what was there before would run, when this one cannot be prepared
    statements[place] = prepare(database, text)
  }
  const prepared = statements[place]
  if (!prepared) throw new Error('This statement could not be prepared.')
  const { statement, columns } = prepared
  if (columns.length === 0) return { changes: Number(statement.run(...(values as SQLInputValue[])).changes) }
  const rows = statement.all(...(values as SQLInputValue[])) as unknown as unknown[][]
  if (parcel)
    for (const row of rows)
      for (let i = 0; i < row.length; i++) {
        const value = row[i]
        if (value instanceof Uint8Array) row[i] = parcel.give(value)
      }
  return text === undefined ? { rows } : { rows, columns }
}

function prepare(database: DatabaseSync, text: string): Prepared {
  const statement = database.prepare(text)
  const columns = statement.columns().map(({ name }) => name)
  if (columns.length > 0) statement.setReturnArrays(true)
  return { statement, columns }
}

/** An error as it travels. */
export function problemOf(thrown: unknown): SqlProblem {
  if (!(thrown instanceof Error)) return { message: 'unknown', errcode: undefined, stack: undefined }
  const errcode = 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode : undefined
  return { message: thrown.message, errcode, stack: thrown.stack }
}
