import {
  type AtelierError,
  asAtelierError,
  type FunctionTable,
  newId,
  type TableVersion,
} from '../core/index.ts'
import type { Capacity } from './capacity.ts'
import { afterFailedStart } from './decisions/crash-loop.ts'
import type { Fleet } from './fleet.ts'
import { Instance, type InstanceKeeper } from './instance.ts'
import type { PoolOptions, PoolPolicy } from './options.ts'
import { Starter } from './starter.ts'
import { environmentOf } from './tiers.ts'

/** What the nursery needs from the pool around it. */
export interface NurseryHost extends InstanceKeeper {
  readonly isClosing: boolean
  /** A start for a fleet is under way, or over. */
  onStarting(fleet: Fleet): void
  onSettled(fleet: Fleet): void
  /** This instance is loaded and may serve. */
  offer(fleet: Fleet, instance: Instance): void
  end(instance: Instance, how: 'kindly' | 'at once', because?: string): void
}

/** Where instances begin: counts what they take, runs their start, and judges starts that failed. */
export class Nursery {
  readonly instances = new Map<string, Instance>()
  readonly counts = { started: 0, specialised: 0, startsFailed: 0 }
  readonly #host: NurseryHost
  readonly #capacity: Capacity
  readonly #policy: PoolPolicy
  readonly #table: FunctionTable
  readonly #starter: Starter

  constructor(host: NurseryHost, capacity: Capacity, options: PoolOptions, policy: PoolPolicy) {
    this.#host = host
    this.#capacity = capacity
    this.#policy = policy
    this.#table = options.table
    this.#starter = new Starter(options, policy)
  }

  /** Starts an instance for `fleet`, or specialises `generic`. Room for it has been checked. */
  startFor(fleet: Fleet, generic: Instance | undefined): void {
    const { version } = fleet
    const { memoryMiB } = version.limits
    let instance = generic
    if (instance) {
      this.#capacity.convert(instance, memoryMiB, version.projectId)
      this.counts.specialised++
    } else {
      instance = this.#create(environmentOf(version, this.#table), memoryMiB, version)
      this.counts.started++
    }
    instance.fleet = fleet
    fleet.starting++
    this.#host.onStarting(fleet)
    const coming = generic
      ? this.#starter.specialise(instance, version)
      : this.#starter.startFor(instance, version)
    void this.#settle(fleet, instance, coming)
  }

  /** Resolves with a generic instance, or with `undefined` when that failed (already reported). */
  async startGeneric(environment: string): Promise<Instance | undefined> {
    const instance = this.#create(environment, this.#policy.genericMemoryMiB, undefined)
    this.counts.started++
    try {
      await this.#starter.startGeneric(instance)
      if (!this.#host.isClosing) return instance
    } catch (thrown) {
      if (instance.endedBecause === undefined) {
        this.counts.startsFailed++
        const what = `generic instance ${instance.id} of environment "${environment}"`
        this.#host.onTrouble(`${what} did not start`, thrown)
      }
    }
    this.#host.end(instance, 'at once')
    return undefined
  }

  async #settle(fleet: Fleet, instance: Instance, coming: Promise<void>): Promise<void> {
    const { clock } = this.#host
    const began = clock.monotonic()
    let failure: AtelierError | undefined
    try {
      await coming
    } catch (thrown) {
      failure = asAtelierError(thrown)
    }
    fleet.starting--
    if (failure) this.#failed(fleet, instance, failure)
    else {
      fleet.failures = 0
      fleet.lastError = undefined
      fleet.noteStart(clock.monotonic() - began)
      fleet.serving.add(instance)
      this.#host.offer(fleet, instance)
    }
    this.#host.onSettled(fleet)
  }

  #failed(fleet: Fleet, instance: Instance, error: AtelierError): void {
    const wasEnded = instance.endedBecause !== undefined
    this.#host.end(instance, 'at once')
    if (wasEnded) return // by an operator, or because the server stops: says nothing about the version
    this.counts.startsFailed++
    const fault = error.fault === 'platform' ? 'platform' : 'function'
    if (fault === 'platform') this.#host.onTrouble(`instance ${instance.id} did not start`, error)
    else instance.voice.note(error.message)
    const rest = afterFailedStart(fault, ++fleet.failures)
    fleet.restUntil = this.#host.clock.monotonic() + rest.restMs
    fleet.lastError = rest.failWaiting ? error : undefined
    if (rest.failWaiting && fleet.serving.size === 0) fleet.line.failAll(error)
  }

  #create(environment: string, memoryMiB: number, version: TableVersion | undefined): Instance {
    const instance = new Instance(newId(this.#host.clock.now()), environment, memoryMiB, this.#host)
    instance.projectId = version?.projectId
    this.instances.set(instance.id, instance)
    this.#capacity.take(instance)
    return instance
  }
}
