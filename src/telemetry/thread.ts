import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { AtelierError } from '../core/index.ts'
import type { Answers, Ask } from './reader.ts'
import type { FromWorker, Problem, ToWorker } from './worker.ts'

// The bundle that is published is JavaScript; the source runs as it is.
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './telemetry-worker.js',
  import.meta.url,
)
const HEAP_MIB_MAX = 128
const YOUNG_HEAP_MIB_MAX = 4 // batches die young and are small; more would only be kept resident

export interface ThreadListener {
  /** The oldest batch that was sent is done with; lost when there is a problem. */
  onWritten(problem: Problem | undefined): void
  onPruned(more: boolean, problem: Problem | undefined): void
  /** The thread ended by itself: nothing that was sent and not confirmed is written. */
  onLost(): void
}

/** The worker as an object. What is sent is done in order, so an answer knows all that was written before it was asked. */
export class TelemetryThread {
  readonly #worker: Worker
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: AtelierError): void }>()
  readonly #closed = Promise.withResolvers<void>()
  #number = 0
  #ended = false

  private constructor(worker: Worker, listener: ThreadListener) {
    this.#worker = worker
    worker.on('message', (message: FromWorker) => this.#hear(message, listener))
    worker.on('error', () => {}) // `exit` follows, and says all that matters
    worker.once('exit', () => {
      const expected = this.#ended
      this.#ended = true
      this.#closed.resolve()
      for (const each of this.#asked.values())
        each.reject(new AtelierError('UNAVAILABLE', 'Records of calls cannot be read now; try again.'))
      this.#asked.clear()
      if (!expected) listener.onLost()
    })
    worker.unref()
  }

  /** Starts the thread; rejects with what is wrong with the file. */
  static async start(path: string, listener: ThreadListener): Promise<TelemetryThread> {
    const worker = new Worker(WORKER_URL, {
      name: 'telemetry',
      workerData: { path },
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MIB_MAX,
        maxYoungGenerationSizeMb: YOUNG_HEAP_MIB_MAX,
      },
      env: threadEnv(),
    })
    await new Promise<void>((resolve, reject) => {
      worker.once('error', cause => reject(unavailable(cause)))
      worker.once('message', (message: FromWorker) =>
        message.kind === 'broken' ? reject(errorOf(message.problem)) : resolve(),
      )
    })
    return new TelemetryThread(worker, listener)
  }

  send(message: ToWorker): void {
    if (!this.#ended) this.#worker.postMessage(message, [])
  }

  ask<K extends keyof Answers>(question: Ask & { readonly kind: K }): Promise<Answers[K]> {
    if (this.#ended) return Promise.reject(unavailable(undefined))
    const number = ++this.#number
    return new Promise<Answers[K]>((resolve, reject) => {
      this.#asked.set(number, { resolve, reject })
      // While somebody waits for an answer the process must not end.
      this.#worker.ref()
      this.send({ kind: 'ask', number, question })
    })
  }

  /** Resolves when everything that was sent is done and the file is closed. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#worker.ref()
    this.send({ kind: 'close' })
    await this.#closed.promise
  }

  #hear(message: FromWorker, listener: ThreadListener): void {
    switch (message.kind) {
      case 'written':
        return listener.onWritten(message.problem)
      case 'pruned':
        return listener.onPruned(message.more, message.problem)
      case 'answer':
      case 'failed': {
        const asked = this.#asked.get(message.number)
        this.#asked.delete(message.number)
        if (this.#asked.size === 0) this.#worker.unref()
        if (message.kind === 'answer') asked?.resolve(message.value)
        else asked?.reject(errorOf(message.problem))
        return
      }
      case 'closed':
        this.#ended = true
        return
      case 'open':
      case 'broken':
        return
    }
  }
}

/**
 * A thread has a compile cache only when its own environment names one. Without it each start takes the types away anew, and the
 * compiler that does so stays in memory: 35 MB.
 */
function threadEnv(): Record<string, string> {
  const cachePath = getCompileCacheDir()
  return cachePath === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cachePath) } // the last part is Node's own version
}

function errorOf({ code, message, errors, cause }: Problem): AtelierError {
  return new AtelierError(code, message, {
    ...(errors && { errors }),
    ...(cause !== undefined && { cause: new Error(cause) }),
  })
}

function unavailable(cause: unknown): AtelierError {
  return new AtelierError(
    'UNAVAILABLE',
    'Records of calls cannot be kept now; the log of the server has the details.',
    { cause },
  )
}
