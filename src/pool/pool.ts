import type { Sandbox } from '../backends/index.ts'
import type { Link } from '../contracts/index.ts'
import type { TableVersion } from '../core/index.ts'

/** Instances: warm pools, specialise, lease, scale, idle, recycle. */
export interface Pool {
  /** A slot on a warm instance of `version` that has room now; `undefined` when there is none. Never waits. */
  tryAcquire(version: TableVersion): Lease | undefined
  /**
   * A slot on an instance of `version`: as `tryAcquire`, or when one is ready. Rejects with TOO_MANY_REQUESTS at once
   * when the queue is full, FUNCTION_TIMEOUT or UNAVAILABLE after `waitMs`, FUNCTION_LOAD_FAILED or
   * FUNCTION_OUT_OF_MEMORY when the code does not load, BACKEND_FAILED, NOT_FOUND when the function is deleted
   * meanwhile, CANCELLED when `signal` is aborted.
   */
  acquire(version: TableVersion, waitMs: number, signal: AbortSignal | undefined): Promise<Lease>
  /** What there is, for `atelier instances`, metrics and tests. */
  instances(): readonly InstanceView[]
  stats(): PoolStats
  /** Stops giving out `versionId`; its instances finish what they hold and go. */
  retire(versionId: string): void
  /** Kills one instance by id; its calls fail with UNAVAILABLE. False when there is none. */
  kill(instanceId: string, reason: string): Promise<boolean>
  /** Takes nothing new, waits for what runs at most `graceMs`, then removes everything. */
  close(graceMs: number): Promise<void>
}

/** A slot on an instance, for one call. */
export interface Lease {
  readonly instanceId: string
  readonly link: Link
  readonly sandbox: Sandbox
  /** True for the first call after a start or specialisation. */
  readonly cold: boolean
  readonly startingMs: number
  readonly initialisingMs: number
  /** False once the stream is over: nothing sent from now on reaches the code. */
  readonly isOpen: boolean
  /** Why the platform ended the instance, when it did: `an operator ended it`. */
  readonly endedBecause: string | undefined
  /**
   * Peak memory of the instance since it was last asked: looked at only every so often, or when `always` is true;
   * `undefined` in between, and where the engine knows nothing. With several calls at once it is their common peak.
   */
  memoryPeakBytes(always: boolean): number | undefined
  /**
   * Gives the slot back, once; a second time does nothing. `suspect`: usable, but ask it whether it lives. `broken`: it
   * takes no call any more and is killed when the other calls it holds are over.
   */
  release(outcome: 'ok' | 'suspect' | 'broken'): void
  /** Where output of call `number` goes while this lease holds it. */
  attachCall(number: number, invocationId: string): void
}

/** What the pool holds now, and what it has done since it was opened. */
export interface PoolStats {
  readonly instances: Readonly<Record<InstanceState, number>>
  readonly memoryReservedMiB: number
  /** Calls that hold a slot. */
  readonly inFlight: number
  /** Calls that wait for a slot. */
  readonly waiting: number
  readonly started: number
  readonly specialised: number
  readonly startsFailed: number
  readonly evicted: number
}

/** See `states.ts`, which says what may follow what. */
export type InstanceState = 'starting' | 'generic' | 'specialising' | 'idle' | 'busy' | 'draining' | 'gone'

/** An instance as operators and its project see it; `startedAt` is epoch ms. */
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
