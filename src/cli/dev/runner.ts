import { setTimeout as sleep } from 'node:timers/promises'
import type { Launch } from '../../backends/index.ts'
import { AtelierError } from '../../core/index.ts'
import { asFailure, usage } from '../failure.ts'
import { DevInstance } from './instance.ts'
import { type DevProject, readDevProject } from './project.ts'

const MID_SAVE_MS = 100 // an editor, or a busy machine, may take so long between emptying a file and filling it

export interface RunnerEvents {
  onLog(stream: 'stdout' | 'stderr', text: string): void
  onReady(project: DevProject, tookMs: number, reloaded: boolean): void
  /** The code as it is now cannot run. `kept`: the last good one goes on answering. */
  onBroken(failure: Error, kept: boolean): void
  onCrash(how: string): void
}

export interface RunnerOptions {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** Port of the debugger, for Node. */
  readonly inspectPort: number | undefined
}

/** What answers a request now. */
export interface Running {
  readonly instance: DevInstance
  readonly project: DevProject
}

/**
 * Keeps one instance of the folder's code running. A second process always waits, started and empty: a reload is then
 * only the loading of the code.
 */
export class DevRunner {
  readonly #options: RunnerOptions
  readonly #events: RunnerEvents
  #running: Running | undefined
  /** Neither runs nor waits yet. */
  #loading: DevInstance | undefined
  #spare: { readonly environment: string; readonly instance: DevInstance } | undefined
  #broken: Error | undefined
  #reload: Promise<void> | undefined
  #again = false
  #changed = Promise.withResolvers<void>()
  #closed = false

  constructor(options: RunnerOptions, events: RunnerEvents) {
    this.#options = options
    this.#events = events
  }

  /** What runs, once a reload that is under way is over. Rejects with why there is nothing. */
  async running(): Promise<Running> {
    while (this.#reload) await this.#reload
    if (this.#running && !this.#running.instance.alive) await this.#running.instance.exited
    if (!this.#running && !this.#broken) await this.reload() // it crashed: the next call gets a fresh one
    if (this.#running) return this.#running
    throw this.#broken ?? new AtelierError('FUNCTION_CRASHED', 'The function ended.')
  }

  /** Loads the code as it is now. Never rejects: what is wrong is told to the events. */
  async reload(): Promise<void> {
    this.#again = true
    this.#changed.resolve()
    this.#reload ??= this.#reloadUntilQuiet().finally(() => (this.#reload = undefined))
    await this.#reload
  }

  /** Ends `instance`, which does not behave; the next call gets a fresh one. */
  discard(instance: DevInstance): void {
    instance.kill()
    if (this.#running?.instance === instance) this.#running = undefined
  }

  async close(): Promise<void> {
    this.#closed = true
    const instances = [this.#running?.instance, this.#loading, this.#spare?.instance].filter(
      one => one !== undefined,
    )
    for (const instance of instances) instance.kill()
    await Promise.all(instances.map(one => one.exited))
  }

  /** Changes that come during a reload are gathered into one more. */
  async #reloadUntilQuiet(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      this.#changed = Promise.withResolvers()
      await this.#reloadOnce()
    }
  }

  async #reloadOnce(): Promise<void> {
    const startedMs = performance.now()
    const before = this.#running
    let instance: DevInstance | undefined
    let next: (() => void) | undefined
    try {
      const project = await readDevProject(this.#options.folder, this.#options.env)
      const launch = await launchOf(project)
      next = () => this.#prepareSpare(project, launch)
      if (this.#options.inspectPort !== undefined) await this.#freeInspector()
      if (this.#closed) return
      instance = this.#loading = this.#take(project, launch)
      await instance.load(project)
      this.#running = { instance, project }
      this.#broken = undefined
      this.#events.onReady(project, performance.now() - startedMs, before !== undefined)
      void before?.instance.retire()
      next()
    } catch (thrown) {
      instance?.kill()
      next?.()
      // A file that was read while it was being saved is nobody's mistake: what is broken is told when it stays so.
      if (await this.#changesWithin(MID_SAVE_MS)) return
      this.#broken = thrown instanceof AtelierError ? thrown : asFailure(thrown)
      this.#events.onBroken(this.#broken, this.#running !== undefined)
    } finally {
      this.#loading = undefined
    }
  }

  async #changesWithin(timeMs: number): Promise<boolean> {
    const waiting = new AbortController()
    await Promise.race([
      this.#changed.promise,
      sleep(timeMs, undefined, { signal: waiting.signal }).catch(() => {}),
    ])
    waiting.abort()
    return this.#again || this.#closed
  }

  #prepareSpare(project: DevProject, launch: Launch): void {
    if (this.#options.inspectPort !== undefined || this.#closed || this.#spare) return
    this.#spare = { environment: project.environment.name, instance: this.#start(project, launch) }
  }

  #take(project: DevProject, launch: Launch): DevInstance {
    const spare = this.#spare
    this.#spare = undefined
    if (spare?.environment === project.environment.name) return spare.instance
    spare?.instance.kill()
    return this.#start(project, launch)
  }

  #start(project: DevProject, launch: Launch): DevInstance {
    const { inspectPort } = this.#options
    if (inspectPort !== undefined && project.environment.name !== 'nodejs')
      throw usage(`--inspect is for Node, and ${project.name} is ${project.environment.name}`)
    const instance: DevInstance = new DevInstance(
      launch,
      inspectPort === undefined ? [] : [`--inspect=127.0.0.1:${inspectPort}`],
      {
        onLog: this.#events.onLog,
        onCrash: how => {
          if (this.#spare?.instance === instance) this.#spare = undefined
          if (this.#running?.instance !== instance) return
          this.#running = undefined
          this.#events.onCrash(how)
        },
      },
    )
    return instance
  }

  /** Two processes cannot have one debugger's port: with a debugger the old one goes first. */
  async #freeInspector(): Promise<void> {
    const before = this.#running?.instance
    this.#running = undefined
    before?.kill()
    await before?.exited
  }
}

async function launchOf(project: DevProject): Promise<Launch> {
  const status = await project.environment.probe()
  if (!status.ready) throw usage(`${project.environment.name} cannot run here: ${status.reason}`)
  return status.launch
}
