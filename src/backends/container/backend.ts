import { createHash } from 'node:crypto'
import { type AddressPolicy, createAddressPolicy } from '../../core/index.ts'
import type { Backend, Capabilities, RunResult, Sandbox, SandboxSpec } from '../backend.ts'
import { Debts } from './debts.ts'
import type { Doors } from './doors.ts'
import { Engine, imageGone } from './engine.ts'
import { type EngineSocket, findEngine } from './engine-socket.ts'
import { HeldContainer } from './held.ts'
import { EngineHttp, engineFailed } from './http.ts'
import { type ImageFacts, Images, type PullRequest } from './images.ts'
import { type ContainerSpec, Maker } from './making.ts'
import { GVISOR } from './policy.ts'
import { guardRegistries, type RegistryGuard } from './registries.ts'

const FACTS_MAX = 1_000

/** Where the engine is, and what it may do for us. */
export interface ContainerBackendOptions {
  /** Private folder of this installation: its name marks what is ours. */
  readonly runPath: string
  /** Socket of the engine. @default DOCKER_HOST, else the usual places */
  readonly engine?: string | undefined
  /** OCI runtime: runc, crun, runsc, kata. @default the engine's own */
  readonly runtime?: string | undefined
  readonly doors: Doors
  /** Which addresses images may be pulled from. @default all but this machine's, link-local and multicast ones */
  readonly registries?: AddressPolicy
}

/** Sandboxes that a Docker-compatible engine makes from images. The engine need not be there before the first of them. */
export class ContainerBackend implements Backend {
  readonly name = 'container'
  readonly #options: ContainerBackendOptions
  readonly #installation: string
  readonly #facts = new Map<string, ImageFacts>()
  readonly #living = new Set<Sandbox>()
  readonly #debts = new Debts()
  readonly #maker: Maker
  readonly #guard: RegistryGuard
  #http: EngineHttp | undefined
  #closed = false

  constructor(options: ContainerBackendOptions) {
    this.#options = options
    this.#installation = createHash('sha256').update(options.runPath).digest('hex').slice(0, 12)
    this.#guard = guardRegistries(options.registries ?? createAddressPolicy())
    this.#maker = new Maker({
      installation: this.#installation,
      runtime: options.runtime,
      doors: options.doors,
      debts: this.#debts,
    })
  }

  capabilities(): Capabilities {
    const { doors, runtime } = this.#options
    const found = this.#found()
    return {
      tier: runtime === GVISOR ? 'gvisor' : 'process',
      notes: [
        'path' in found
          ? `Images run as containers by the engine at ${found.path}${runtime ? `, with ${runtime}` : ''}: read-only, without capabilities or new privileges, not as root, with the engine's system call filter.`
          : `Images do not run here: ${found.reason}.`,
        ...(doors.noSockets === undefined ? [] : [`Images cannot be reached: ${doors.noSockets}.`]),
        ...(doors.noNetwork === undefined ? [] : [`Images have no network: ${doors.noNetwork}.`]),
      ],
      memoryLimit: 'hard',
      cpuLimit: 'hard',
      processLimit: 'hard',
      network: doors.noNetwork === undefined ? ['none', 'outbound'] : ['none'],
      seccomp: true,
      inside: {
        sockets: doors.noSockets === undefined,
        ...(doors.noSockets !== undefined && { reason: doors.noSockets }),
        ownPorts: true,
        stdin: true,
      },
    }
  }

  /** The engine's name and version. Rejects with BACKEND_FAILED when there is none. */
  async version(): Promise<string> {
    return new Engine(this.#client()).version()
  }

  /** Pulls an image; see `Images.pull`. */
  async pull(request: PullRequest, told: (text: string) => void, signal: AbortSignal): Promise<ImageFacts> {
    const facts = await this.#images(this.#client()).pull(request, told, signal)
    this.#remember(facts.pinned, facts)
    return facts
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    if (this.#closed) throw engineFailed('the server is stopping')
    if (signal.aborted) throw engineFailed('the start was given up', signal.reason)
    if (!hasImage(spec)) throw engineFailed(`environment "${spec.launch.environment}" has no image`)
    const http = this.#client()
    const own = spec.process
    if (own?.held !== true) return this.#hold(await this.#make(http, spec, signal))
    // What can be known before its call is told before it.
    await this.#needImage(http, spec.launch.image)
    const make = (env: Readonly<Record<string, string>>, each: AbortSignal) =>
      this.#make(http, { ...spec, process: { ...own, env: { ...own.env, ...env } } }, each)
    return this.#hold(new HeldContainer(spec.id, make))
  }

  /** Builds run beside the platform, where its packages are. */
  async run(): Promise<RunResult> {
    throw engineFailed('commands of builds run in the local sandbox')
  }

  async sweep(): Promise<number> {
    if ('reason' in this.#found()) return 0
    const engine = new Engine(this.#client())
    const ids = (await engine.list(this.#installation)).filter(id => !this.#debts.has(id))
    await Promise.all(ids.map(id => engine.remove(id)))
    return ids.length
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#living].map(each => each.kill()))
    await this.#debts.close()
    this.#http?.close()
    this.#options.doors.close()
  }

  async #make(http: EngineHttp, spec: ContainerSpec, signal: AbortSignal): Promise<Sandbox> {
    const facts = await this.#factsOf(http, spec.launch.image)
    const sandbox = await this.#maker.make(new Engine(http), spec, facts, signal)
    if (!this.#closed) return sandbox
    await sandbox.kill()
    throw engineFailed('the server is stopping')
  }

  async #needImage(http: EngineHttp, image: string): Promise<void> {
    if ((await this.#images(http).facts(image)) === undefined) throw imageGone()
  }

  #images(http: EngineHttp): Images {
    return new Images(http, this.#guard)
  }

  #hold(sandbox: Sandbox): Sandbox {
    this.#living.add(sandbox)
    void sandbox.exited.then(() => this.#living.delete(sandbox))
    return sandbox
  }

  #found(): EngineSocket {
    return findEngine(this.#options.engine, process.env)
  }

  #client(): EngineHttp {
    const found = this.#found()
    if ('reason' in found) throw engineFailed(`there is no container engine: ${found.reason}`)
    if (this.#http?.path !== found.path) this.#http = new EngineHttp(found.path)
    return this.#http
  }

  async #factsOf(http: EngineHttp, image: string): Promise<ImageFacts | undefined> {
    const known = this.#facts.get(image)
    if (known !== undefined) return known
    const facts = await this.#images(http).facts(image)
    if (facts !== undefined) this.#remember(image, facts)
    return facts
  }

  #remember(image: string, facts: ImageFacts): void {
    if (this.#facts.size >= FACTS_MAX) this.#facts.clear()
    this.#facts.set(image, facts)
  }
}

function hasImage(spec: SandboxSpec): spec is ContainerSpec {
  return spec.launch.image !== undefined
}
