import type { Clock } from '../core/index.ts'
import type { BundleStore } from './bundle-store.ts'
import type { DependencyCache } from './dependency-cache.ts'
import type { BuildLimits } from './limits.ts'
import type { PackageStore } from './package-store.ts'
import type { ToolCache } from './tool-cache.ts'

interface Collected {
  readonly packages: PackageStore
  readonly bundles: BundleStore
  readonly cache: DependencyCache
  readonly tools: ToolCache
  readonly clock: Clock
  readonly temporary: string
  readonly limits: BuildLimits
}

/** Removes what nobody needs any more, and knows what somebody still does. */
export class Collector {
  readonly #parts: Collected
  /** Packages that a build reads, and by how many. */
  readonly #held = new Map<string, number>()
  /** When a bundle was last located; pruned with each collection. */
  readonly #usedAt = new Map<string, number>()
  #running: Promise<unknown> = Promise.resolve()

  constructor(parts: Collected) {
    this.#parts = parts
  }

  /** Keeps a package until the returned function is called. */
  hold(packageDigest: string): () => void {
    this.#held.set(packageDigest, (this.#held.get(packageDigest) ?? 0) + 1)
    return () => {
      const left = (this.#held.get(packageDigest) ?? 1) - 1
      if (left === 0) this.#held.delete(packageDigest)
      else this.#held.set(packageDigest, left)
    }
  }

  isHeld(packageDigest: string): boolean {
    return this.#held.has(packageDigest)
  }

  /** Remembers that an instance was given this bundle now. */
  used(bundleDigest: string): void {
    this.#usedAt.set(bundleDigest, this.#parts.clock.now())
  }

  /** See `Builder.collect`. One collection at a time. */
  collect(
    keep: { packages: ReadonlySet<string>; bundles: ReadonlySet<string> },
    ageMs: number,
  ): Promise<{ removed: number; freedBytes: number }> {
    const result = this.#running.then(() => this.#collect(keep, ageMs))
    this.#running = result.catch(() => {})
    return result
  }

  async #collect(
    keep: { packages: ReadonlySet<string>; bundles: ReadonlySet<string> },
    ageMs: number,
  ): Promise<{ removed: number; freedBytes: number }> {
    const { packages, bundles, cache, tools, clock, limits, temporary } = this.#parts
    const now = clock.now()
    let removed = 0
    let freedBytes = 0
    // The cache first: dependencies that only it holds are then counted with the bundle that held them last.
    await cache.trim(limits.cacheEntriesMax, now - limits.cacheIdleMs, temporary)
    await tools.trim(limits.toolCachesMax, now - limits.cacheIdleMs, temporary)
    for (const { digest, usedAt } of await bundles.list()) {
      // A bundle that is no version's any more may still run: instances finish what they have begun.
      const lastUse = Math.max(usedAt, this.#usedAt.get(digest) ?? 0)
      if (keep.bundles.has(digest) || now - lastUse < ageMs) continue
      freedBytes += await bundles.remove(digest, temporary)
      this.#usedAt.delete(digest)
      removed++
    }
    for (const { digest, usedAt, bytes } of await packages.list()) {
      if (keep.packages.has(digest) || this.#held.has(digest) || now - usedAt < ageMs) continue
      await packages.remove(digest)
      freedBytes += bytes
      removed++
    }
    await bundles.forgetLost()
    return { removed, freedBytes }
  }
}
