import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { CompiledQuery, QueryResult } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import { asStoreError } from './errors.ts'
import { Parcel } from './parcel.ts'
import { StatementPlaces } from './places.ts'
import type { Done, Job, SqlProblem, WorkerSettings } from './worker.ts'

// The bundle that is published is JavaScript; the source runs as it is.
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.js',
  import.meta.url,
)
const YOUNG_HEAP_MIB_MAX = 8 // what comes and goes is short-lived; more would only be kept resident

/** The thread that owns a database file, as an object. What is sent is done in order. */
export class SqliteThread {
  readonly #worker: Worker
  readonly #writes = new StatementPlaces()
  readonly #reads = new StatementPlaces()
  #jobs: Job[] = []
  #parcel = new Parcel()
  readonly #waiting: ((done: Done) => void)[] = []
  #isPosting = false
  #isClosing = false
  #ended = false
  readonly #exited: Promise<void>

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answers: readonly Done[]) => this.#hear(answers))
    worker.on('error', () => {}) // `exit` follows, and says all that matters
    this.#exited = new Promise(resolve => worker.once('exit', () => resolve(this.#end())))
    worker.unref()
  }

  /** Starts the thread; rejects with what is wrong with the file. */
  static async start(settings: WorkerSettings): Promise<SqliteThread> {
    const cachePath = getCompileCacheDir()
    const worker = new Worker(WORKER_URL, {
      name: 'store',
      workerData: settings,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_HEAP_MIB_MAX },
      // Without the cache each start takes the types away anew; the last part of the path is Node's own version.
      env: cachePath === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cachePath) },
    })
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('message', ([{ problem }]: [Done]) => (problem ? reject(errorOf(problem)) : resolve()))
    })
    return new SqliteThread(worker)
  }

  /** One statement, on the connection that writes or on the one that sees only what is committed. */
  async run<R>(kind: 'write' | 'read', { sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const places = kind === 'write' ? this.#writes : this.#reads
    const { place, isNew } = places.of(sql)
    const values = parameters.map(value => (value instanceof Uint8Array ? this.#parcel.copy(value) : value))
    const job = { kind, place: place.number, values }
    const done = await this.#send(isNew ? { ...job, text: sql } : job)
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
    void this.#send({ kind: 'begin', relaxed })
  }

  async end(kind: 'commit' | 'rollback'): Promise<void> {
    const { problem } = await this.#send({ kind })
    if (problem) throw errorOf(problem)
  }

  /** Resolves when everything that was sent is done and the file is closed. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#isClosing = true
    void this.#send({ kind: 'close' })
    await this.#exited
  }

  #send(job: Job): Promise<Done> {
    if (this.#ended) return Promise.resolve({ problem: LOST })
    // While somebody waits for an answer the process must not end.
    if (this.#waiting.length === 0) this.#worker.ref()
    this.#jobs.push(job)
    if (!this.#isPosting) {
      // After the microtasks: what one turn asks for travels together.
      this.#isPosting = true
      process.nextTick(() => this.#post())
    }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  #post(): void {
    const jobs = this.#jobs
    const { transfer } = this.#parcel
    this.#jobs = []
    this.#parcel = new Parcel()
    this.#isPosting = false
    this.#worker.postMessage(jobs, transfer)
  }

  #hear(answers: readonly Done[]): void {
    const waiting = this.#waiting.splice(0, answers.length)
    if (this.#waiting.length === 0 && !this.#isClosing) this.#worker.unref()
    for (const [index, resolve] of waiting.entries()) resolve(answers[index]!)
  }

  #end(): void {
    this.#ended = true
    for (const resolve of this.#waiting.splice(0)) resolve({ problem: LOST })
  }
}

const LOST: SqlProblem = {
  message: 'The thread of the store has ended.',
  errcode: undefined,
  stack: undefined,
}

function errorOf(problem: SqlProblem): unknown {
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
