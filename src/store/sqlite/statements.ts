import type { CompiledQuery, QueryResult } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import type { Done, Job, SqlProblem } from './connections.ts'
import { asStoreError } from './errors.ts'
import { StatementPlaces } from './places.ts'

/** Statements as jobs for whoever has the connections; what is sent is done in order. */
export abstract class Statements {
  readonly #writes = new StatementPlaces()
  readonly #reads = new StatementPlaces()

  /** Never rejects: a failure is in the answer. */
  protected abstract send(job: Job): Promise<Done>

  /** Resolves when everything that was sent is done and the file is closed. */
  abstract close(): Promise<void>

  /** One statement, on the connection that writes or on the one that sees only what is committed. */
  async run<R>(kind: 'write' | 'read', { sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const places = kind === 'write' ? this.#writes : this.#reads
    const { place, isNew } = places.of(sql)
    const job = { kind, place: place.number, values: [...parameters] }
    const done = await this.send(isNew ? { ...job, text: sql } : job)
    if (done.problem) {
      // It may never have been prepared: it is sent with its text again.
      if (isNew) places.forget(sql)
      throw errorOf(done.problem)
    }
    if (done.columns) place.columns = done.columns
    if (done.rows?.length && place.columns.length === 0)
      throw new Error('The names of this statement were lost with its first run.')
    if (!done.rows) return { rows: [], numAffectedRows: BigInt(done.changes ?? 0) }
    return { rows: done.rows.map(row => objectOf(place.columns, row) as R) }
  }

  /** What follows waits for nothing: when it could not begin, the next statement and the commit say so. */
  begin(relaxed: boolean): void {
    void this.send({ kind: 'begin', relaxed })
  }

  async end(kind: 'commit' | 'rollback'): Promise<void> {
    const { problem } = await this.send({ kind })
    if (problem) throw errorOf(problem)
  }
}

/** The answer to what nobody is there to do any more. */
export const LOST: SqlProblem = {
  message: 'The thread of the store has ended.',
  errcode: undefined,
  stack: undefined,
}

/** What a problem is where it is thrown: in the catalogue's words, if it has any. */
export function errorOf(problem: SqlProblem): unknown {
  if (problem === LOST)
    return new AtelierError(
      'UNAVAILABLE',
      'The store has been closed, or its thread was lost; restart the server.',
    )
  const error = new Error(problem.message)
  if (problem.stack !== undefined) error.stack = problem.stack
  return asStoreError(
    problem.errcode === undefined ? error : Object.assign(error, { errcode: problem.errcode }),
  )
}

function objectOf(columns: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let i = 0; i < columns.length; i++) row[columns[i]!] = values[i]
  return row
}
