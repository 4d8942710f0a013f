import type { Server, Socket } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AtelierError } from '../../core/index.ts'
import type { Sandbox, SandboxExit } from '../backend.ts'
import { engineFailed } from './http.ts'

const NOTHING_USED = { memoryBytes: 0, memoryPeakBytes: 0, cpuMs: 0 }

/** Makes and starts the container, with these variables over those that are known. */
type Make = (env: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Sandbox>

/**
 * A container whose environment comes with its one call. Engines fix that when they make a container, so there is none before: until
 * `begin` this costs nothing, and what can go wrong then is told by `exited`.
 */
export class HeldContainer implements Sandbox {
  readonly id: string
  readonly channel: Duplex
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly exited: Promise<SandboxExit>
  readonly #make: Make
  readonly #exit: (exit: SandboxExit) => void
  readonly #abort = new AbortController()
  #making: Promise<void> | undefined
  #made: Sandbox | undefined

  constructor(id: string, make: Make) {
    this.id = id
    this.#make = make
    this.channel = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    for (const stream of [this.channel, this.stdin, this.stdout, this.stderr]) stream.on('error', () => {})
    const { promise, resolve } = Promise.withResolvers<SandboxExit>()
    this.exited = promise
    this.#exit = exit => {
      for (const stream of [this.stdin, this.channel]) stream.destroy()
      for (const stream of [this.stdout, this.stderr]) stream.end()
      resolve(exit)
    }
  }

  get pid(): number | undefined {
    return this.#made?.pid
  }

  begin(env: Readonly<Record<string, string>>): void {
    if (this.#abort.signal.aborted) return
    this.#making ??= this.#run(env)
  }

  fits(): boolean {
    return false
  }

  async attach(): Promise<void> {
    throw engineFailed(`${this.id} has its code already`)
  }

  async connect(): Promise<Socket | undefined> {
    throw engineFailed('nothing listens in a container that is made for one call')
  }

  async listen(): Promise<Server> {
    throw engineFailed('nobody listens in a container that is made for one call')
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    return this.#made?.usage() ?? NOTHING_USED
  }

  resetPeak(): void {
    this.#made?.resetPeak()
  }

  terminate(): void {
    if (this.#making === undefined) this.#exit(ended('SIGTERM', 'exit'))
    else if (this.#made === undefined) this.#abort.abort()
    else this.#made.terminate()
  }

  async kill(): Promise<void> {
    this.#abort.abort()
    if (this.#making === undefined) this.#exit(ended('SIGKILL', 'killed'))
    await this.#made?.kill()
    await this.exited
  }

  async #run(env: Readonly<Record<string, string>>): Promise<void> {
    let made: Sandbox
    try {
      made = await this.#make(env, this.#abort.signal)
    } catch (thrown) {
      if (this.#abort.signal.aborted) return this.#exit(ended('SIGKILL', 'killed'))
      const error = thrown instanceof AtelierError ? thrown : engineFailed('it was not made', thrown)
      this.stderr.write(`${error.message}\n`)
      return this.#exit({ code: undefined, signal: undefined, reason: 'exit', tail: error.message, error })
    }
    this.#made = made
    if (this.#abort.signal.aborted) void made.kill()
    // What comes of its streams is told by its exit.
    if (made.stdin !== undefined) void pipeline(this.stdin, made.stdin).catch(() => {})
    const said = Promise.allSettled([pipeline(made.stdout, this.stdout), pipeline(made.stderr, this.stderr)])
    const exit = await made.exited
    await said
    this.#exit(exit)
  }
}

function ended(signal: string, reason: 'killed' | 'exit'): SandboxExit {
  return { code: undefined, signal, reason, tail: '' }
}
