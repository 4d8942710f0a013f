import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ConnectionSettings } from './connect.ts'
import type { Done, Job } from './connections.ts'
import { Parcel } from './parcel.ts'
import { errorOf, LOST, Statements } from './statements.ts'

// The bundle that is published is JavaScript; the source runs as it is.
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.js',
  import.meta.url,
)
const YOUNG_HEAP_MIB_MAX = 8 // what comes and goes is short-lived; more would only be kept resident

/** Statements that a thread runs, which waits for the disk in place of this one. */
export class SqliteThread extends Statements {
  readonly #worker: Worker
  #jobs: Job[] = []
  #parcel = new Parcel()
  readonly #waiting: ((done: Done) => void)[] = []
  #isPosting = false
  #isClosing = false
  #ended = false
  readonly #exited: Promise<void>

  private constructor(worker: Worker) {
    super()
    this.#worker = worker
    worker.on('message', (answers: readonly Done[]) => this.#hear(answers))
    worker.on('error', () => {}) // `exit` follows, and says all that matters
    this.#exited = new Promise(resolve => worker.once('exit', () => resolve(this.#end())))
    worker.unref()
  }

  /** Starts the thread; rejects with what is wrong with the file. */
  static async start(settings: ConnectionSettings): Promise<SqliteThread> {
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

  async close(): Promise<void> {
    if (!this.#isClosing) {
      void this.send({ kind: 'close' })
      this.#isClosing = true
    }
    await this.#exited
  }

  protected override send(job: Job): Promise<Done> {
    if (this.#isClosing || this.#ended) return Promise.resolve({ problem: LOST })
    if ('values' in job)
      for (const [at, value] of job.values.entries())
        if (value instanceof Uint8Array) job.values[at] = this.#parcel.copy(value)
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
