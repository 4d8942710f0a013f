import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { AtelierError, type Clock } from '../core/index.ts'
import type { Answers, Question } from './answers.ts'
import type { FromWorker, Problem, ToWorker } from './worker.ts'

// The bundle that is published is JavaScript; the source runs as it is.
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './telemetry-worker.js',
  import.meta.url,
)
const HEAP_MIB_MAX = 256
const YOUNG_HEAP_MIB_MAX = 8 // what is read lives for one answer; more would only be kept resident
const IDLE_MS = 10_000

/**
 * The thread that reads, as an object: it is started by a question and ends when none has come for a while, since a
 * thread takes some 15 MB. Its loss costs the answers that it owed, and nothing that is kept.
 */
export class ReaderThread {
  readonly #root: string
  readonly #clock: Clock
  #worker: Worker | undefined
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: AtelierError): void }>()
  #number = 0
  #cancelEnd: () => void = () => {}

  constructor(root: string, clock: Clock) {
    this.#root = root
    this.#clock = clock
  }

  ask<K extends keyof Answers>(question: Question<K>): Promise<Answers[K]> {
    this.#cancelEnd()
    const worker = (this.#worker ??= this.#start())
    const number = ++this.#number
    return new Promise<Answers[K]>((resolve, reject) => {
      this.#asked.set(number, { resolve, reject })
      worker.ref() // while somebody waits for an answer the process must not end
      worker.postMessage({ number, question } satisfies ToWorker, [])
    })
  }

  /** Ends the thread; what it has not answered fails. */
  async close(): Promise<void> {
    this.#cancelEnd()
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const cachePath = getCompileCacheDir()
    const worker = new Worker(WORKER_URL, {
      name: 'telemetry',
      workerData: { root: this.#root },
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: YOUNG_HEAP_MIB_MAX,
      },
      // Without the cache each start takes the types away anew; the last part of the path is Node's own version.
      env: cachePath === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cachePath) },
    })
    worker.on('message', (message: FromWorker) => this.#hear(message))
    worker.on('error', () => {}) // `exit` follows, and says all that matters
    worker.once('exit', () => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      const asked = [...this.#asked.values()]
      this.#asked.clear()
      for (const each of asked)
        each.reject(new AtelierError('UNAVAILABLE', 'Records of calls cannot be read now; try again.'))
    })
    return worker
  }

  #hear(message: FromWorker): void {
    const asked = this.#asked.get(message.number)
    this.#asked.delete(message.number)
    if (this.#asked.size === 0) {
      this.#worker?.unref()
      this.#cancelEnd = this.#clock.after(IDLE_MS, () => this.#end())
    }
    if ('problem' in message) asked?.reject(errorOf(message.problem))
    else asked?.resolve(message.value)
  }

  #end(): void {
    const worker = this.#worker
    this.#worker = undefined // a question that comes now starts another
    void worker?.terminate()
  }
}

function errorOf({ code, message, errors, cause }: Problem): AtelierError {
  return new AtelierError(code, message, {
    ...(errors && { errors }),
    ...(cause !== undefined && { cause: new Error(cause) }),
  })
}
