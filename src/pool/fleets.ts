import type { TableVersion } from '../core/index.ts'
import { Fleet, type Rhythm } from './fleet.ts'

const RHYTHMS_MAX = 20_000 // functions whose rhythm is remembered; the one noticed first is forgotten first

/** The fleets by version, and what outlives them: each function's rhythm. */
export class Fleets {
  readonly #byVersion = new Map<string, Fleet>()
  readonly #byFunction = new Map<string, Set<Fleet>>()
  readonly #rhythms = new Map<string, Rhythm>()

  get(versionId: string): Fleet | undefined {
    return this.#byVersion.get(versionId)
  }

  ensure(version: TableVersion): Fleet {
    const known = this.#byVersion.get(version.id)
    if (known) return known
    const fleet = new Fleet(version, this.#rhythmOf(version.functionId))
    this.#byVersion.set(version.id, fleet)
    const siblings = this.#byFunction.get(version.functionId)
    if (siblings) siblings.add(fleet)
    else this.#byFunction.set(version.functionId, new Set([fleet]))
    return fleet
  }

  all(): Iterable<Fleet> {
    return this.#byVersion.values()
  }

  of(functionId: string): Iterable<Fleet> {
    return this.#byFunction.get(functionId) ?? []
  }

  versionsOf(functionId: string): readonly TableVersion[] {
    return [...this.of(functionId)].map(fleet => fleet.version)
  }

  /** Calls that wait for a slot, over all. */
  get waiting(): number {
    let sum = 0
    for (const fleet of this.#byVersion.values()) sum += fleet.line.length
    return sum
  }

  forget(fleet: Fleet): void {
    fleet.cancelLook?.()
    this.#byVersion.delete(fleet.version.id)
    const siblings = this.#byFunction.get(fleet.version.functionId)
    siblings?.delete(fleet)
    if (siblings?.size === 0) this.#byFunction.delete(fleet.version.functionId)
  }

  #rhythmOf(functionId: string): Rhythm {
    let rhythm = this.#rhythms.get(functionId)
    if (rhythm) return rhythm
    rhythm = { gaps: undefined, quietSince: undefined }
    this.#rhythms.set(functionId, rhythm)
    if (this.#rhythms.size > RHYTHMS_MAX) {
      const [oldest] = this.#rhythms.keys()
      this.#rhythms.delete(oldest!)
    }
    return rhythm
  }
}
