import type { AsyncSettings } from './async.ts'
import type { EventTrigger } from './event-trigger.ts'
import type { Access, AliasTarget, ChosenTier, HttpTrigger, VersionSpec } from './model.ts'

/**
 * The in-memory table where the planes meet. The control plane publishes a new entry (by function) or takes one
 * away; the data plane reads, and never asks a database. Entries are immutable: a change is a new object.
 */
export interface TableVersion
  extends Omit<VersionSpec, 'environmentRevision' | 'packageDigest' | 'isolation'> {
  readonly id: string
  readonly functionId: string
  readonly projectId: string
  readonly projectName: string
  readonly appName: string
  readonly functionName: string
  readonly number: number
  /** Absent: `process`, or what its project asks for. */
  readonly isolation?: ChosenTier
}

/** A function, with all that a call of it is decided by. */
export interface TableFunction {
  readonly id: string
  readonly projectId: string
  readonly projectName: string
  readonly appName: string
  readonly name: string
  readonly access: Access
  /** Absent: all as by default. */
  readonly async?: AsyncSettings
  /** Every version that is kept, by number. */
  readonly versions: ReadonlyMap<number, TableVersion>
  readonly aliases: ReadonlyMap<string, readonly AliasTarget[]>
}

/** A project, with the limits that calls are held to. */
export interface TableProject {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  /** Calls at once over all functions; `undefined` for the machine's limit. */
  readonly concurrencyMax?: number
  /** The weakest tier that its functions may run in. */
  readonly isolationMin?: ChosenTier
  /** Calls that begin within a minute; `undefined` for no limit. */
  readonly callsPerMinuteMax?: number
  /** Asynchronous calls that wait, and the bytes of those that have not ended; `undefined` as by default. */
  readonly queuedCallsMax?: number
  readonly queuedBytesMax?: number
}

/** An entry that is new; `undefined` where it was taken away. */
export type TableChange =
  | { readonly kind: 'function'; readonly id: string; readonly value: TableFunction | undefined }
  | { readonly kind: 'trigger'; readonly id: string; readonly value: HttpTrigger | undefined }
  | { readonly kind: 'eventTrigger'; readonly id: string; readonly value: EventTrigger | undefined }
  | { readonly kind: 'project'; readonly id: string; readonly value: TableProject | undefined }

/** Where the planes meet; see `TableVersion`. */
export class FunctionTable {
  /** Grows by one with each published set of changes. */
  revision = 0
  readonly functions = new Map<string, TableFunction>()
  readonly triggers = new Map<string, HttpTrigger>()
  /** With their secrets: for those who run them alone. */
  readonly eventTriggers = new Map<string, EventTrigger>()
  readonly projects = new Map<string, TableProject>()
  readonly #byPath = new Map<string, TableFunction>()
  readonly #listeners = new Set<(changes: readonly TableChange[]) => void>()

  /** The function at `project/app/function` (names), without a copy or an allocation beyond the key. */
  byPath(project: string, app: string, name: string): TableFunction | undefined {
    return this.#byPath.get(`${project}/${app}/${name}`)
  }

  /** Applies changes together: a reader sees all of them or none. Listeners run before this returns. */
  publish(changes: readonly TableChange[]): void {
    for (const change of changes) {
      if (change.kind === 'function') {
        const before = this.functions.get(change.id)
        // Another function may have the path by now, made under the name of this one.
        if (before && this.#byPath.get(pathOf(before)) === before) this.#byPath.delete(pathOf(before))
        if (change.value) {
          this.functions.set(change.id, change.value)
          this.#byPath.set(pathOf(change.value), change.value)
        } else this.functions.delete(change.id)
      } else if (change.kind === 'trigger') {
        if (change.value) this.triggers.set(change.id, change.value)
        else this.triggers.delete(change.id)
      } else if (change.kind === 'eventTrigger') {
        if (change.value) this.eventTriggers.set(change.id, change.value)
        else this.eventTriggers.delete(change.id)
      } else if (change.value) this.projects.set(change.id, change.value)
      else this.projects.delete(change.id)
    }
    this.revision++
    for (const listener of this.#listeners) listener(changes)
  }

  /** Told of each publication; the returned function unsubscribes. */
  subscribe(listener: (changes: readonly TableChange[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function pathOf(entry: TableFunction): string {
  return `${entry.projectName}/${entry.appName}/${entry.name}`
}
