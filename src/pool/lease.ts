import type { Sandbox } from '../backends/index.ts'
import type { Link } from '../contracts/index.ts'
import { LOG_BYTES_PER_INVOCATION_MAX } from '../core/index.ts'
import type { Instance } from './instance.ts'
import { OutputBudget } from './output.ts'
import type { Lease } from './pool.ts'

/** One slot in one call's hands. A new object for each call: a stale one can then never touch another's slot. */
export class SlotLease implements Lease {
  readonly cold: boolean
  readonly since: number
  /** The call's number on the link; 0 before it is sent. */
  call = 0
  invocationId: string | undefined
  /** Its place in the instance's list of leases. */
  index: number
  readonly #instance: Instance
  #budget: OutputBudget | undefined
  #released = false

  constructor(instance: Instance, index: number, cold: boolean, since: number) {
    this.#instance = instance
    this.index = index
    this.cold = cold
    this.since = since
  }

  get instanceId(): string {
    return this.#instance.id
  }

  get link(): Link {
    return this.#instance.link
  }

  get sandbox(): Sandbox {
    return this.#instance.sandbox
  }

  get startingMs(): number {
    return this.#instance.startingMs
  }

  get initialisingMs(): number {
    return this.#instance.initialisingMs
  }

  get isOpen(): boolean {
    return !this.#instance.isClosed
  }

  get endedBecause(): string | undefined {
    return this.#instance.endedBecause
  }

  get budget(): OutputBudget {
    return (this.#budget ??= new OutputBudget(LOG_BYTES_PER_INVOCATION_MAX))
  }

  attachCall(number: number, invocationId: string): void {
    this.call = number
    this.invocationId = invocationId
  }

  memoryPeakBytes(always: boolean): number | undefined {
    return this.#instance.memoryPeakBytes(always || this.cold)
  }

  release(outcome: 'ok' | 'suspect' | 'broken'): void {
    if (this.#released) return
    this.#released = true
    this.#instance.giveBack(this, outcome)
  }
}
