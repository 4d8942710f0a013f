import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Duplex, duplexPair, PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { AtelierError, type Clock, type Limits, systemClock } from '../../core/index.ts'
import type {
  Backend,
  Capabilities,
  Grant,
  Place,
  RunResult,
  RunSpec,
  Sandbox,
  SandboxExit,
  SandboxSpec,
} from '../backend.ts'

const TAIL_BYTES_MAX = 4096
const SANDBOXES_MAX_DEFAULT = 10_000

/** What a fake backend does; every field may be changed between starts. */
export interface FakeKnobs {
  /** Milliseconds of the clock before a start succeeds. @default 0 */
  startDelayMs: number
  /** Milliseconds of the clock that `attach` takes. @default 0 */
  attachDelayMs: number
  /** So many of the next starts reject with BACKEND_FAILED. @default 0 */
  failStarts: number
  /** So many of the next attaches reject with BACKEND_FAILED. @default 0 */
  failAttaches: number
  /** Which limits a generic sandbox can be given late. @default all */
  fits: (limits: Limits) => boolean
  /** What `usage` answers for new sandboxes. @default 32 MiB */
  memoryBytes: number
  /** More living sandboxes than this are refused, as a full machine would. @default 10,000 */
  sandboxesMax: number
  /** Plays the program inside: called once the sandbox runs, with the inner end of its channel in `sandbox.peer`. */
  onStart: (sandbox: FakeSandbox) => void
  /** Plays `run`'s command. @default exits with code 0 */
  onRun: (spec: RunSpec) => RunResult | Promise<RunResult>
}

/** A backend without processes: channels are pairs of streams in memory, and a test plays what is inside. */
export class FakeBackend implements Backend {
  readonly name = 'fake'
  readonly knobs: FakeKnobs
  /** Every sandbox ever started, oldest first; `alive` tells which still run. */
  readonly started: FakeSandbox[] = []
  readonly #clock: Clock
  readonly #living = new Set<FakeSandbox>()
  #pidNext = 1
  #closed = false

  constructor(options: { readonly clock?: Clock; readonly knobs?: Partial<FakeKnobs> } = {}) {
    this.#clock = options.clock ?? systemClock
    this.knobs = {
      startDelayMs: 0,
      attachDelayMs: 0,
      failStarts: 0,
      failAttaches: 0,
      fits: () => true,
      memoryBytes: 32 * 1024 * 1024,
      sandboxesMax: SANDBOXES_MAX_DEFAULT,
      onStart: () => {},
      onRun: () => ({ code: 0, signal: undefined, reason: 'exit' }),
      ...options.knobs,
    }
  }

  /** Sandboxes that run now. */
  get alive(): readonly FakeSandbox[] {
    return [...this.#living]
  }

  capabilities(): Capabilities {
    return {
      tier: 'none',
      notes: ['Nothing is isolated: sandboxes exist in memory only.'],
      memoryLimit: 'none',
      cpuLimit: 'none',
      processLimit: 'none',
      network: ['none', 'outbound'],
      seccomp: false,
      inside: { sockets: true, ownPorts: false, stdin: true },
    }
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    await this.#pass(this.knobs.startDelayMs, signal)
    if (this.#closed) throw failed(spec.id, 'the backend is closed')
    const ways = { connect: connectTo, listen: listenAt }
    await spec.process?.beforeStart?.(ways)
    if (this.knobs.failStarts > 0) {
      this.knobs.failStarts--
      throw failed(spec.id, 'it was told to fail')
    }
    if (this.#living.size >= this.knobs.sandboxesMax) throw failed(spec.id, 'the machine is full')
    const sandbox = new FakeSandbox(spec, this.#pidNext++, this.knobs, (ms, s) => this.#pass(ms, s))
    this.#living.add(sandbox)
    this.started.push(sandbox)
    void sandbox.exited.then(() => this.#living.delete(sandbox))
    this.knobs.onStart(sandbox)
    return sandbox
  }

  async run(spec: RunSpec, signal: AbortSignal): Promise<RunResult> {
    if (signal.aborted) return { code: undefined, signal: 'SIGKILL', reason: 'cancelled' }
    return this.knobs.onRun(spec)
  }

  async sweep(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.alive.map(sandbox => sandbox.kill()))
  }

  /** Lets `delayMs` of the injected clock pass; an abort ends it with BACKEND_FAILED. */
  #pass(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        cancel()
        reject(failed('sandbox', 'the start was given up', signal?.reason))
      }
      if (signal?.aborted) return reject(failed('sandbox', 'the start was given up', signal.reason))
      if (delayMs <= 0) return resolve()
      const cancel = this.#clock.after(delayMs, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }
}

/** One fake sandbox, with handles for the test that plays its inside. */
export class FakeSandbox implements Sandbox {
  readonly id: string
  readonly spec: SandboxSpec
  readonly pid: number
  readonly channel: Duplex
  /** The inner end of the channel: what a shim would hold. */
  readonly peer: Duplex
  readonly stdin: PassThrough | undefined
  /** What a held process was given, once it runs. */
  begun: Readonly<Record<string, string>> | undefined
  isTerminated = false
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly exited: Promise<SandboxExit>
  /** What it was granted, at its start or later. */
  grant: Grant | undefined
  memoryBytes: number
  memoryPeakBytes: number
  cpuMs = 0
  readonly #knobs: FakeKnobs
  readonly #pass: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>
  readonly #settle: (exit: SandboxExit) => void
  #tail = ''
  #alive = true

  constructor(
    spec: SandboxSpec,
    pid: number,
    knobs: FakeKnobs,
    pass: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>,
  ) {
    this.spec = spec
    this.id = spec.id
    this.pid = pid
    this.grant = spec.grant
    this.stdin = spec.process?.stdin === true ? new PassThrough() : undefined
    if (spec.process && spec.process.held !== true) this.begun = spec.process.env
    this.memoryBytes = knobs.memoryBytes
    this.memoryPeakBytes = knobs.memoryBytes
    this.#knobs = knobs
    this.#pass = pass
    ;[this.channel, this.peer] = duplexPair()
    // Either end may be destroyed with an error by a test; nobody need listen for it here.
    this.channel.on('error', () => {})
    this.peer.on('error', () => {})
    const { promise, resolve } = Promise.withResolvers<SandboxExit>()
    this.exited = promise
    this.#settle = resolve
  }

  get alive(): boolean {
    return this.#alive
  }

  fits(limits: Limits): boolean {
    return this.grant === undefined && this.#knobs.fits(limits)
  }

  async attach(grant: Grant): Promise<void> {
    if (this.grant !== undefined) throw failed(this.id, 'it has its code already')
    this.grant = grant
    await this.#pass(this.#knobs.attachDelayMs, undefined)
    if (!this.#alive) throw failed(this.id, 'it is gone')
    if (this.#knobs.failAttaches > 0) {
      this.#knobs.failAttaches--
      throw failed(this.id, 'it was told to fail')
    }
  }

  /** Ports and paths are this machine's: a test plays what is inside by listening there. */
  connect(to: Place, patienceMs = 0): Promise<Socket | undefined> {
    return connectTo(to, patienceMs)
  }

  listen(at: Place): Promise<Server> {
    return listenAt(at)
  }

  begin(env: Readonly<Record<string, string>>): void {
    this.begun = { ...this.spec.process?.env, ...env }
  }

  terminate(): void {
    this.isTerminated = true
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, this.memoryBytes)
    return { memoryBytes: this.memoryBytes, memoryPeakBytes: this.memoryPeakBytes, cpuMs: this.cpuMs }
  }

  resetPeak(): void {
    this.memoryPeakBytes = this.memoryBytes
  }

  async kill(): Promise<void> {
    this.end({ code: undefined, signal: 'SIGKILL', reason: 'killed' })
  }

  /** Writes to the process's own stderr, which the exit's `tail` keeps the end of. */
  print(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL_BYTES_MAX)
    this.stderr.write(text)
  }

  /** Ends it as if the program had ended, or the kernel had ended it. */
  end(exit: Partial<Omit<SandboxExit, 'tail'>> = {}): void {
    if (!this.#alive) return
    this.#alive = false
    this.channel.destroy()
    this.peer.destroy()
    this.stdout.end()
    this.stderr.end()
    this.#settle({ code: 0, signal: undefined, reason: 'exit', ...exit, tail: this.#tail })
  }
}

const PAUSE_MS = 5

async function connectTo(to: Place, patienceMs = 0): Promise<Socket | undefined> {
  for (let leftMs = patienceMs; ; leftMs -= PAUSE_MS) {
    const made = await new Promise<Socket | undefined>(resolve => {
      const socket = connect(onThisMachine(to), () => resolve(socket))
      socket.once('error', () => resolve(undefined))
    })
    if (made !== undefined || leftMs <= 0) return made
    await sleep(PAUSE_MS)
  }
}

function listenAt(at: Place): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => reject(failed('sandbox', 'nobody can listen in it', error)))
    server.listen(onThisMachine(at), () => resolve(server))
  })
}

function onThisMachine(place: Place): { path: string } | { port: number; host: string } {
  return 'path' in place ? place : { port: place.port, host: '127.0.0.1' }
}

function failed(id: string, why: string, cause?: unknown): AtelierError {
  return new AtelierError('BACKEND_FAILED', `Sandbox ${id} could not be used: ${why}.`, { cause })
}
