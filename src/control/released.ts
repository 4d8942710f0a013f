import type { FunctionTable, TableChange } from '../core/index.ts'

const ENTRIES_MAX = 10_000 // the oldest goes first

/** Bundles whose versions are gone, with the time: instances that are draining still run from them. */
export class ReleasedBundles {
  readonly #at = new Map<string, number>()

  /** Compares changes with the table that they are about to change. */
  note(table: FunctionTable, changes: readonly TableChange[], nowMs: number): void {
    for (const change of changes) {
      if (change.kind !== 'function') continue
      for (const version of table.functions.get(change.id)?.versions.values() ?? [])
        if (!change.value?.versions.has(version.number)) this.#add(version.bundleDigest, nowMs)
    }
  }

  since(ms: number): string[] {
    return [...this.#at].filter(([, at]) => at >= ms).map(([digest]) => digest)
  }

  #add(digest: string, nowMs: number): void {
    this.#at.delete(digest)
    const [oldest] = this.#at.keys()
    if (this.#at.size >= ENTRIES_MAX && oldest !== undefined) this.#at.delete(oldest)
    this.#at.set(digest, nowMs)
  }
}
