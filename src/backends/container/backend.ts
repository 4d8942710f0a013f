import { createHash } from 'node:crypto'
import { LIMITS_DEFAULT } from '../../core/index.ts'
import type { Backend, Capabilities, Launch, RunResult, Sandbox, SandboxSpec } from '../backend.ts'
import { Demultiplexer } from './demux.ts'
import type { Doors } from './doors.ts'
import { Engine } from './engine.ts'
import { type EngineSocket, findEngine } from './engine-socket.ts'
import { EngineHttp, engineFailed } from './http.ts'
import { type ImageFacts, Images, type PullRequest } from './images.ts'
import { containerBody } from './policy.ts'
import { type Container, ContainerSandbox } from './sandbox.ts'

const FACTS_MAX = 1_000
const REMOVE_PAUSE_MS = 2_000
const REMOVE_TRIES_MAX = 150 // five minutes of an engine that is down; then the next sweep has them

export interface ContainerBackendOptions {
  /** Private folder of this installation: its name marks what is ours. */
  readonly runPath: string
  /** Socket of the engine. @default DOCKER_HOST, else the usual places */
  readonly engine?: string | undefined
  /** OCI runtime: runc, crun, runsc, kata. @default the engine's own */
  readonly runtime?: string | undefined
  readonly doors: Doors
}

/** Sandboxes that a Docker-compatible engine makes from images. The engine need not be there before the first of them. */
export class ContainerBackend implements Backend {
  readonly name = 'container'
  readonly #options: ContainerBackendOptions
  readonly #installation: string
  readonly #facts = new Map<string, ImageFacts>()
  readonly #living = new Set<ContainerSandbox>()
  /** Containers made and not yet removed, by the engine's ids. */
  readonly #owed = new Set<string>()
  #http: EngineHttp | undefined
  #closed = false

  constructor(options: ContainerBackendOptions) {
    this.#options = options
    this.#installation = createHash('sha256').update(options.runPath).digest('hex').slice(0, 12)
  }

  capabilities(): Capabilities {
    const { doors, runtime } = this.#options
    const found = this.#found()
    const by = 'path' in found ? `by the engine at ${found.path}` : `not here: ${found.reason}`
    return {
      tier: runtime === 'runsc' ? 'gvisor' : 'process',
      notes: [
        `Images run as containers ${by}${runtime ? `, with ${runtime}` : ''}: read-only, without capabilities or new privileges, not as root, with the engine's system call filter.`,
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
    const facts = await new Images(this.#client()).pull(request, told, signal)
    this.#remember(facts.pinned, facts)
    return facts
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const { launch, grant, process: own } = spec
    if (this.#closed) throw engineFailed('the server is stopping')
    if (signal.aborted) throw engineFailed('the start was given up', signal.reason)
    if (!hasImage(launch)) throw engineFailed(`environment "${launch.environment}" has no image`)
    if (own?.held === true || own?.beforeStart !== undefined || own?.folder !== undefined)
      throw engineFailed(
        'a container cannot wait inside for its orders, nor be given a folder first; use contract http',
      )
    const network = grant?.network ?? 'none'
    if (network === 'outbound' && this.#options.doors.noNetwork !== undefined)
      throw engineFailed(`there is no network: ${this.#options.doors.noNetwork}`)
    const http = this.#client()
    const engine = new Engine(http)
    const facts = await this.#factsOf(http, launch.image)
    const limits = grant?.limits ?? LIMITS_DEFAULT
    const speaksOnStdio = own === undefined
    const stdin = speaksOnStdio || own?.stdin === true
    const body = containerBody({
      installation: this.#installation,
      instance: spec.id,
      launch,
      env: own?.env ?? {},
      limits,
      network,
      stdin,
      imageUser: facts?.user ?? '',
      runtime: this.#options.runtime,
      nameServer: this.#options.doors.nameServer,
      openFilesHard: this.#options.doors.openFilesHard,
    })
    const name = `atelier-${this.#installation}-${spec.id}`
    // Not aborted with the start: a container that is being made must be known to be removed.
    const id = await engine.create(name, body, new AbortController().signal)
    this.#owed.add(id)
    try {
      signal.throwIfAborted()
      const raw = await engine.attach(id, stdin, signal)
      const output = new Demultiplexer(raw)
      await engine.start(id, signal)
      const pid = await engine.pidOf(id)
      const way =
        pid !== undefined && network === 'outbound' ? await this.#wayOut(engine, id, pid) : undefined
      signal.throwIfAborted()
      if (this.#closed) throw engineFailed('the server is stopping')
      const inside =
        pid !== undefined && this.#options.doors.noSockets === undefined
          ? this.#options.doors.inside(pid)
          : undefined
      return this.#hold(
        new ContainerSandbox(spec.id, {
          id,
          pid,
          raw,
          output,
          hasStdin: stdin,
          speaksOnStdio,
          inside,
          limits,
          hasGrant: grant !== undefined,
          way,
          signal: each => engine.signal(id, each),
          end: () => engine.wait(id).catch(() => undefined),
          remove: () => this.#remove(engine, id),
        } satisfies Container),
      )
    } catch (error) {
      await this.#remove(engine, id)
      throw signal.aborted ? engineFailed('the start was given up', error) : error
    }
  }

  /** Builds run beside the platform, where its packages are. */
  async run(): Promise<RunResult> {
    throw engineFailed('commands of builds run in the local sandbox')
  }

  async sweep(): Promise<number> {
    if ('reason' in this.#found()) return 0
    const engine = new Engine(this.#client())
    const ids = (await engine.list(this.#installation)).filter(id => !this.#owed.has(id))
    await Promise.all(ids.map(id => engine.remove(id)))
    return ids.length
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#living].map(each => each.kill()))
    this.#http?.close()
    this.#options.doors.close()
  }

  /** Its way to the network; `undefined` when it has ended meanwhile, which is not a failure of ours. */
  async #wayOut(engine: Engine, id: string, pid: number): Promise<{ close(): void } | undefined> {
    try {
      return await this.#options.doors.connect(pid)
    } catch (error) {
      if ((await engine.pidOf(id)) === undefined) return undefined
      throw error
    }
  }

  #hold(sandbox: ContainerSandbox): ContainerSandbox {
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
    const facts = await new Images(http).facts(image)
    if (facts !== undefined) this.#remember(image, facts)
    return facts
  }

  #remember(image: string, facts: ImageFacts): void {
    if (this.#facts.size >= FACTS_MAX) this.#facts.clear()
    this.#facts.set(image, facts)
  }

  /** Now, or while the engine is down again and again in the background; never rejects. */
  async #remove(engine: Engine, id: string): Promise<void> {
    try {
      await engine.remove(id)
      this.#owed.delete(id)
    } catch {
      this.#removeLater(engine, id, REMOVE_TRIES_MAX)
    }
  }

  #removeLater(engine: Engine, id: string, triesLeft: number): void {
    if (triesLeft === 0 || this.#closed) {
      this.#owed.delete(id) // the next sweep's
      return
    }
    const timer = setTimeout(() => {
      engine.remove(id).then(
        () => this.#owed.delete(id),
        () => this.#removeLater(engine, id, triesLeft - 1),
      )
    }, REMOVE_PAUSE_MS)
    timer.unref()
  }
}

function hasImage(launch: Launch): launch is Launch & { readonly image: string } {
  return launch.image !== undefined
}
