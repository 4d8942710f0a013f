import type { Sandbox } from '../backends/index.ts'
import type { Link } from '../contracts/index.ts'
import type { TableVersion } from '../core/index.ts'

/** Instances: warm pools, specialise, lease, scale, idle, recycle. */
export interface Pool {
  /**
   * A slot on an instance of `version`. Fast path: a warm instance with room is answered synchronously. Otherwise the
   * promise settles when one is ready, or rejects: TOO_MANY_REQUESTS at once when the queue is full, FUNCTION_TIMEOUT or
   * UNAVAILABLE after `waitMs`, FUNCTION_LOAD_FAILED when the code does not load, BACKEND_FAILED.
   */
  acquire(version: TableVersion, waitMs: number, signal: AbortSignal | undefined): Lease | Promise<Lease>
  /** What there is, for `atelier instances`, metrics and tests. */
  instances(): readonly InstanceView[]
  /** Stops giving out `versionId`; its instances finish what they hold and go. */
  retire(versionId: string): void
  /** Kills one instance by id; its calls fail as crashed. */
  kill(instanceId: string, reason: string): Promise<boolean>
  /** Takes nothing new, waits for what runs at most `graceMs`, then removes everything. */
  close(graceMs: number): Promise<void>
}

export interface Lease {
  readonly instanceId: string
  readonly link: Link
  readonly sandbox: Sandbox
  /** True for the first call after a start or specialisation. */
  readonly cold: boolean
  readonly startingMs: number
  readonly initialisingMs: number
  /** Gives the slot back. `broken`: the instance must not be used again (crash, timeout, violation). */
  release(outcome: 'ok' | 'broken'): void
  /** Where output of call `number` goes while this lease holds it. */
  attachCall(number: number, invocationId: string): void
}

export type InstanceState = 'starting' | 'generic' | 'specialising' | 'idle' | 'busy' | 'draining' | 'gone'

export interface InstanceView {
  readonly id: string
  readonly environment: string
  readonly state: InstanceState
  readonly projectId?: string
  readonly functionId?: string
  readonly version?: number
  readonly inFlight: number
  readonly calls: number
  readonly startedAt: number
  readonly memoryBytes: number
}

/** Decrypted secrets for a starting instance: the control plane's, asked only on a cold start. */
export interface SecretSource {
  read(projectId: string, names: readonly string[]): Promise<Readonly<Record<string, string>>>
}

/** Where a bundle lies on this machine; fetches it from the blob store when it is not there yet. */
export interface BundleSource {
  /** Host folder of the bundle. Rejects with GONE when nobody has it. */
  locate(digest: string): Promise<string>
}
