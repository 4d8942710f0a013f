import type { DialectRecord } from '../../control/index.ts'
import { AtelierError } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { inputOf } from './executions.ts'
import { afterRun, type KeptJob } from './job-rules.ts'
import { aliasKey, type Kept, type KeptAlias, type KeptFunction, KINDS, missing } from './kept.ts'
import type { Runs } from './runs.ts'

const TICK_MS = 1_000
/** Others' jobs, made through another node, are seen so much later at most. */
const LOOK_MS = 20_000

/**
 * Runs jobs when they are due. Each run is made once: what it makes has a key of job and time, and the job's next time is only moved
 * on from the one that was run. What was due while nobody ran is caught up, one run of a job each second.
 */
export class JobClock {
  readonly #parts: Pick<DialectParts, 'clock' | 'log'>
  readonly #kept: Kept
  readonly #runs: Runs
  #stop: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()
  #nextLookAt = 0
  #isClosed = false

  constructor(parts: Pick<DialectParts, 'clock' | 'log'>, kept: Kept, runs: Runs) {
    this.#parts = parts
    this.#kept = kept
    this.#runs = runs
  }

  start(): void {
    if (this.#isClosed) return
    this.#stop = this.#parts.clock.after(TICK_MS, () => {
      this.#turn = this.tick().finally(() => this.start())
    })
  }

  /** Begins nothing more; resolves when what was begun is. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#stop?.()
    await this.#turn
  }

  /** A job may be due sooner than was known. */
  wake(): void {
    this.#nextLookAt = 0
  }

  /** Runs what is due now. Never rejects: a job that fails stands in no other's way. */
  async tick(): Promise<void> {
    const { clock, log } = this.#parts
    const now = clock.now()
    if (now < this.#nextLookAt) return
    this.#nextLookAt = now + LOOK_MS
    try {
      const running: DialectRecord<KeptJob>[] = []
      for await (const job of this.#kept.each<KeptJob>(KINDS.job, {}))
        if (job.body.status === 'running') running.push(job)
      for (const job of running.toSorted((a, b) => a.body.nextAt - b.body.nextAt)) {
        if (this.#isClosed) return
        const next = job.body.nextAt <= now ? await this.#run(job) : job
        if (next?.body.status === 'running') this.#nextLookAt = Math.min(this.#nextLookAt, next.body.nextAt)
      }
    } catch (error) {
      log.error({ err: error }, 'jobs of Qinling could not be looked at')
    }
  }

  /** One run: begun, or given up, and then the job's next time. */
  async #run(job: DialectRecord<KeptJob>): Promise<DialectRecord<KeptJob> | undefined> {
    const { log } = this.#parts
    const { nextAt } = job.body
    try {
      await this.#begin(job)
    } catch (error) {
      const isTaken = error instanceof AtelierError && error.code === 'CONFLICT' // another node was faster
      if (!isTaken) log.error({ err: error, job: job.id }, 'a job of Qinling could not be run')
    }
    try {
      return await this.#kept.records.update<KeptJob>(KINDS.job, job.id, body =>
        body.status === 'running' && body.nextAt === nextAt ? afterRun(body) : body,
      )
    } catch (error) {
      if (!(error instanceof AtelierError && error.code === 'NOT_FOUND'))
        log.error({ err: error, job: job.id }, 'a job of Qinling could not be moved on')
      return undefined
    }
  }

  async #begin({ id, projectId, body }: DialectRecord<KeptJob>): Promise<void> {
    const { records } = this.#kept
    let functionId = body.functionId
    let version = body.functionVersion
    if (body.functionAlias !== null) {
      const alias = await records.byKey<KeptAlias>(KINDS.alias, aliasKey(projectId, body.functionAlias))
      if (!alias) throw missing('FunctionAlias', 'name', body.functionAlias)
      functionId = alias.body.functionId
      version = alias.body.functionVersion
    }
    const found = await records.get<KeptFunction>(KINDS.function, functionId ?? '')
    if (!found) throw missing('Function', 'id', functionId ?? '')
    await this.#runs.start({
      found,
      version,
      alias: body.functionAlias,
      description: `Created by Job ${id}`,
      sync: false,
      input: inputOf(body.functionInput),
      projectId,
      onceKey: `job ${id} ${body.nextAt}`,
    })
  }
}
