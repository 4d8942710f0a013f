import { setTimeout as sleep } from 'node:timers/promises'
import { AtelierError, LIMITS_DEFAULT } from '../../core/index.ts'
import type { Launch, SandboxSpec } from '../backend.ts'
import { isRootHere, looseLimits } from './bounds.ts'
import { bundleMounts } from './bundle.ts'
import { Demultiplexer } from './demux.ts'
import type { Engine } from './engine.ts'
import { type HolderOptions, holdNetwork, type NetworkHolder } from './holder.ts'
import { engineFailed } from './http.ts'
import type { ImageFacts } from './images.ts'
import { boundsOf, type ContainerWish, containerBody, GVISOR, isNamed } from './policy.ts'
import { type Container, ContainerSandbox } from './sandbox.ts'

export interface MakerOptions extends HolderOptions {
  readonly runtime: string | undefined
}

/** What a container is made of; see `SandboxSpec`. */
export type ContainerSpec = SandboxSpec & { readonly launch: Launch & { readonly image: string } }

/** Makes containers and starts them. */
export class Maker {
  readonly #options: MakerOptions
  /** This engine makes no first process before it starts one, so that what comes before needs a container of its own. */
  #needsHolder = false

  constructor(options: MakerOptions) {
    this.#options = options
  }

  /** A container that runs. When this rejects, nothing of it is left but what an engine that is down cannot remove yet. */
  async make(
    engine: Engine,
    spec: ContainerSpec,
    facts: ImageFacts | undefined,
    signal: AbortSignal,
  ): Promise<ContainerSandbox> {
    const wish = await this.#wishFor(spec, facts)
    const hasToListen = spec.process?.beforeStart !== undefined
    if (!hasToListen || !this.#needsHolder) {
      const made = await this.#make(engine, spec, wish, undefined, signal)
      if (made !== undefined) return made
      this.#needsHolder = true
    }
    const holder = await holdNetwork(engine, wish, this.#options, signal)
    try {
      await spec.process?.beforeStart?.(holder.inside)
      const made = await this.#make(engine, spec, wish, holder, signal)
      if (made !== undefined) return made
      throw engineFailed('its network is not ready')
    } catch (error) {
      await holder.remove()
      throw error
    }
  }

  async #wishFor(spec: ContainerSpec, facts: ImageFacts | undefined): Promise<ContainerWish> {
    const { launch, grant, process: own } = spec
    const { doors, installation, runtime } = this.#options
    const network = grant?.network ?? 'none'
    if (network === 'outbound' && doors.noNetwork !== undefined)
      throw engineFailed(`there is no network: ${doors.noNetwork}`)
    if (runtime === GVISOR && own?.folder !== undefined)
      throw engineFailed('sockets in its file system, as contract fn has them, cannot be reached in gVisor')
    return {
      installation,
      instance: spec.id,
      launch,
      env: own?.env ?? {},
      limits: grant?.limits ?? LIMITS_DEFAULT,
      network,
      stdin: own === undefined || own.stdin === true,
      imageUser: facts?.user ?? '',
      runtime,
      nameServer: doors.nameServer,
      openFilesHard: doors.openFilesHard,
      folder: own?.folder,
      mounts: grant === undefined ? [] : await bundleMounts(grant.bundlePath, own?.links ?? []),
    }
  }

  /** `undefined` when something has to listen in it before it runs, and nobody can: the engine shows it only when it does. */
  async #make(
    engine: Engine,
    spec: ContainerSpec,
    wish: ContainerWish,
    holder: NetworkHolder | undefined,
    signal: AbortSignal,
  ): Promise<ContainerSandbox | undefined> {
    const { doors, debts, installation } = this.#options
    const beforeStart = holder === undefined ? spec.process?.beforeStart : undefined
    const body = containerBody(holder === undefined ? wish : { ...wish, networkOf: holder.id })
    // Not aborted with the start: a container that is being made must be known to be removed.
    const never = new AbortController().signal
    const id = await engine.create(`atelier-${installation}-${spec.id}`, body, never)
    debts.add(id)
    try {
      signal.throwIfAborted()
      const raw = await engine.attach(id, wish.stdin, signal)
      const output = new Demultiplexer(raw)
      let pid: number | undefined
      if (beforeStart !== undefined) {
        pid = await engine.pidOf(id)
        const inside = pid === undefined ? undefined : doors.inside(pid)
        if (inside === undefined) {
          raw.destroy()
          await debts.pay(engine, id)
          return undefined
        }
        await beforeStart(inside)
      }
      await engine.start(id, signal)
      pid ??= await engine.pidOf(id)
      const loose = pid === undefined ? [] : looseLimits(pid, boundsOf(wish))
      if (loose.length > 0)
        throw engineFailed(
          `the engine does not hold its limits of ${loose.join(', ')}; that of an ordinary user needs control groups of version 2 that are delegated to it`,
        )
      if (pid !== undefined && isNamed(wish.imageUser) && wish.runtime !== GVISOR && (await staysRoot(pid)))
        throw new AtelierError(
          'FUNCTION_LOAD_FAILED',
          `The image runs as the user "${wish.imageUser}", which is root in its own /etc/passwd. Let it name another user, or none.`,
        )
      const way =
        pid !== undefined && wish.network === 'outbound' ? await this.#wayOut(engine, id, pid) : undefined
      signal.throwIfAborted()
      return new ContainerSandbox(spec.id, {
        id,
        pid,
        raw,
        output,
        hasStdin: wish.stdin,
        speaksOnStdio: spec.process === undefined,
        inside: pid !== undefined && doors.noSockets === undefined ? doors.inside(pid) : undefined,
        limits: wish.limits,
        hasGrant: spec.grant !== undefined,
        way,
        signal: each => engine.signal(id, each),
        end: () => engine.wait(id).catch(() => undefined),
        remove: async () => {
          await Promise.all([debts.pay(engine, id), holder?.remove()])
        },
      } satisfies Container)
    } catch (error) {
      await debts.pay(engine, id)
      throw signal.aborted ? engineFailed('the start was given up', error) : error
    }
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
}

const LOOKS_MAX = 10
const LOOK_EVERY_MS = 20

/** A runtime may let go of its rights a moment after it has said that the container runs. */
async function staysRoot(pid: number): Promise<boolean> {
  for (let looks = 1; isRootHere(pid); looks++) {
    if (looks === LOOKS_MAX) return true
    await sleep(LOOK_EVERY_MS)
  }
  return false
}
