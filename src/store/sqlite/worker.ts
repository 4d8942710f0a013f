/** The thread that runs the statements of a store which must not wait for the disk where calls are carried. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { Parcel } from './parcel.ts'

export interface WorkerSettings {
  readonly path: string
  readonly busyTimeoutMs: number
  /** Run on each connection. */
  readonly setup: string
  readonly bytesMax: number | undefined
}

/** Statements have places, so that their text travels once. A new text in a place takes it over. */
export type Job =
  | {
      readonly kind: 'write' | 'read'
      readonly place: number
      readonly text?: string
      readonly values: readonly unknown[]
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

function serve(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const opened: DatabaseSync[] = []
  try {
    const writer = connect(settings)
    opened.push(writer)
    const reader = connect(settings)
    opened.push(reader)
    reader.exec('pragma query_only = on')
    const work = new Connections(writer, reader)
    port.on('message', (jobs: readonly Job[]) => {
      const parcel = new Parcel()
      const answers: Done[] = []
      let isLast = false
      for (const job of jobs) {
        if (job.kind === 'close') isLast = true
        else answers.push(work.run(job, parcel))
      }
      if (isLast) {
        for (const each of opened) each.close()
        answers.push({})
      }
      port.postMessage(answers, parcel.transfer)
      if (isLast) port.close()
    })
    port.postMessage([{}])
  } catch (thrown) {
    for (const each of opened) each.close()
    port.postMessage([{ problem: problemOf(thrown) }])
    port.close()
  }
}

class Connections {
  readonly #writer: DatabaseSync
  readonly #reader: DatabaseSync
  readonly #writes: Statements = []
  readonly #reads: Statements = []
  #inTransaction = false
  #isRelaxed = false
  /** Why the transaction cannot go on: what was sent after the statement that failed must not run outside of it. */
  #broken: SqlProblem | undefined

  constructor(writer: DatabaseSync, reader: DatabaseSync) {
    this.#writer = writer
    this.#reader = reader
  }

  run(job: Exclude<Job, { kind: 'close' }>, parcel: Parcel): Done {
    if (this.#broken && (job.kind === 'write' || job.kind === 'commit')) return { problem: this.#broken }
    try {
      return this.#attempt(job, parcel)
    } catch (thrown) {
      const problem = problemOf(thrown)
      if (this.#inTransaction && job.kind !== 'read') this.#broken = problem
      return { problem }
    }
  }

  #attempt(job: Exclude<Job, { kind: 'close' }>, parcel: Parcel): Done {
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
  parcel: Parcel,
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

function connect({ path, busyTimeoutMs, setup, bytesMax }: WorkerSettings): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true })
  try {
    database.exec(setup)
    if (bytesMax !== undefined) {
      const pageBytes = Number(database.prepare('pragma page_size').get()?.['page_size'])
      database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`)
    }
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function problemOf(thrown: unknown): SqlProblem {
  if (!(thrown instanceof Error)) return { message: 'unknown', errcode: undefined, stack: undefined }
  const errcode = 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode : undefined
  return { message: thrown.message, errcode, stack: thrown.stack }
}

const port = parentPort
if (port) serve(port, workerData as WorkerSettings)
