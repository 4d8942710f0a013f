import { writeFileSync } from 'node:fs'
import type { Clock } from '../../core/index.ts'
import type { Inside, Place } from '../backend.ts'
import type { Broker } from './broker.ts'
import { Cell } from './cell.ts'
import type { Cgroup, CgroupLimits, CgroupTree } from './cgroup/cgroup.ts'
import { backendFailed } from './commands.ts'
import { enterInside } from './inside.ts'
import type { Identity, Launched, Launcher, Mount, Rlimits } from './launcher.ts'
import type { Leftovers } from './leftovers.ts'
import type { Connection, OutboundNetwork } from './network.ts'
import { sandboxEnv } from './policy.ts'
import { startTime } from './procfs.ts'
import type { Uids } from './uids.ts'
import { Watchdog, type Watched } from './watchdog.ts'

// Of all processes on the machine those of tenants go first when its memory ends.
const OOM_SCORE_ADJUSTMENT = 900
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

export interface CellSpec {
  readonly id: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  readonly mounts: readonly Mount[]
  readonly limits: CgroupLimits
  readonly rlimits: Rlimits
  /** Whether it has its way out before the command begins. */
  readonly connected: boolean
  readonly channel: boolean
  readonly stdin?: boolean
  /** As in `LaunchSpec`. */
  readonly folder?: string
  /** The last thing before the command begins. */
  readonly onHeld?: (ways: Inside) => Promise<void>
}

export interface CellsOptions {
  readonly clock: Clock
  /** `undefined`: no kernel accounts; a watchdog stands in. */
  readonly cgroups: CgroupTree | undefined
  /** `undefined`: we are not root, all cells are our own user. */
  readonly uids: Uids | undefined
  readonly network: OutboundNetwork | undefined
  readonly broker: Broker | undefined
  readonly seccompPath: string | undefined
  readonly leftovers: Leftovers
}

/** Makes cells, knows those that live, and removes what is left of them. */
export class Cells {
  readonly #options: CellsOptions
  readonly #watchdog: Watchdog
  readonly #ids = new Set<string>()
  readonly #living = new Map<string, Cell>()
  #closed = false

  constructor(options: CellsOptions) {
    this.#options = options
    this.#watchdog = new Watchdog(options.clock)
  }

  /**
   * Opens a cell with `launcher`. `prepare` learns who the cell will be before anything runs. Rejects with BACKEND_FAILED
   * and leaves nothing.
   */
  async open(
    spec: CellSpec,
    launcher: Launcher,
    signal: AbortSignal,
    prepare: (identity: Identity) => Promise<void> = async () => {},
  ): Promise<Cell> {
    if (this.#closed) throw backendFailed('the backend is closed')
    if (signal.aborted) throw backendFailed('the start was given up', signal.reason)
    if (!ID.test(spec.id)) throw backendFailed(`"${spec.id}" is no name for a sandbox`)
    if (this.#ids.has(spec.id)) throw backendFailed(`a sandbox ${spec.id} runs already`)
    this.#ids.add(spec.id)
    const { cgroups, uids, network, leftovers } = this.#options
    let identity: Identity = { kind: 'mapped' }
    let cgroup: Cgroup | undefined
    let connection: Connection | undefined
    let isGivenUp = false
    const watched: Watched = {
      pid: 0,
      memoryBytesMax: spec.limits.memoryBytes,
      tasksMax: spec.limits.tasks,
      onExcess: () => {},
    }
    let unwatch = () => {}
    const release = async () => {
      unwatch()
      await cgroup?.remove()
      leftovers.forget(spec.id)
      if (identity.kind === 'own') uids?.giveBack(identity.uid)
      this.#ids.delete(spec.id)
      this.#living.delete(spec.id)
    }
    try {
      if (uids !== undefined) identity = { kind: 'own', uid: uids.take() }
      await prepare(identity)
      cgroup = cgroups?.create(spec.id)
      cgroup?.limit(spec.limits)
      const connect = (pid: number) => {
        if (network === undefined) throw backendFailed('this machine can give it no network')
        return network.connect(pid, identity)
      }
      const { broker } = this.#options
      const uid = identity.kind === 'own' ? identity.uid : undefined
      const waysInto = (pid: number, since: string | undefined, complete: () => Promise<void>) =>
        enterInside(broker, since === undefined ? undefined : { pid, since, uid }, complete)
      const notYet = async () => {
        throw backendFailed('it has no files yet')
      }
      const launched = await launcher.launch(
        {
          ...spec,
          env: sandboxEnv(spec.env),
          hostname: 'function',
          identity,
          seccompPath: this.#options.seccompPath,
          stdin: spec.stdin === true,
          beforeStart: async (pid, inside) => {
            cgroup?.add(pid)
            leftovers.note(spec.id, [pid])
            preferForOutOfMemory(pid)
            if (spec.connected) {
              const made = await connect(pid)
              if (isGivenUp) return made.close()
              connection = made
            }
            await spec.onHeld?.(inside ?? waysInto(pid, startTime(pid), notYet))
          },
        },
        signal,
      )
      watched.pid = launched.pid
      const inside =
        launched.inside ??
        translated(
          waysInto(launched.pid, launched.since, () => launched.complete()),
          launched,
        )
      const holdings = { identity, cgroup, watched, inside, release, connect }
      const cell = new Cell(spec.id, launched, holdings, connection)
      if (cgroups === undefined) {
        watched.onExcess = what => cell.endFor(what)
        unwatch = this.#watchdog.watch(watched)
      }
      this.#living.set(spec.id, cell)
      // Closed while it was starting: whoever closed has not seen this one.
      if (this.#closed) {
        await cell.kill()
        throw backendFailed('the backend is closed')
      }
      return cell
    } catch (error) {
      isGivenUp = true // its network may still be under way
      connection?.close()
      await release()
      throw error
    }
  }

  /** Ends processes and removes groups of cells that this process does not know. */
  async sweep(): Promise<number> {
    const { cgroups, leftovers } = this.#options
    const strangers = (ids: readonly string[]) => ids.filter(id => !this.#ids.has(id))
    const noted = strangers(leftovers.list())
    const grouped = strangers(cgroups?.list() ?? [])
    await Promise.all(noted.map(id => leftovers.end(id)))
    await Promise.all(grouped.map(async id => cgroups?.open(id).remove()))
    return new Set([...noted, ...grouped]).size
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#living.values()].map(cell => cell.kill()))
    this.#options.broker?.close()
    this.#options.cgroups?.close()
  }
}

/** Ways that lead to where a path inside is to be found outside. */
function translated(ways: Inside, { pathOutside }: Launched): Inside {
  if (pathOutside === undefined) return ways
  const outside = (place: Place): Place => {
    if ('port' in place) return place
    const path = pathOutside(place.path)
    if (path === undefined) throw backendFailed(`gVisor keeps what listens at ${place.path} to itself`)
    return { path }
  }
  return {
    connect: async (to, patienceMs) => ways.connect(outside(to), patienceMs),
    listen: async at => ways.listen(outside(at)),
  }
}

function preferForOutOfMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(OOM_SCORE_ADJUSTMENT))
  } catch {
    // A kindness to the machine, no limit: without the right to say it, the kernel decides by size.
  }
}
