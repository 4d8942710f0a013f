import type { Readable } from 'node:stream'

/** Source package in, runnable bundle out, with a log. Knows nothing of functions or projects. */
export interface Builder {
  /**
   * Reads a package as it came, checks it (paths, links, counts, sizes), and stores it as a blob under its digest.
   * Rejects with PACKAGE_INVALID or BODY_TOO_LARGE that say which entry is wrong and what the limit is.
   */
  receive(source: Readable, fileName: string, signal: AbortSignal): Promise<ReceivedPackage>
  /**
   * Removes a received package that came to nothing, unless it was received once more since `receivedAt` (epoch ms) or is being built. Whoever
   * calls it knows that nobody names it.
   */
  discard(packageDigest: string, receivedAt: number): Promise<void>
  /** Makes the bundle, or finds it in the cache. Rejects with BUILD_FAILED carrying the tail of the log. */
  build(request: BuildRequest, signal: AbortSignal): Promise<BuildResult>
  /** The package as a tar archive in its canonical form, for download; GONE when it is not here. */
  openPackage(digest: string): Promise<Readable>
  /** Host folder of a built bundle, unpacked; GONE when it is not here. */
  locate(bundleDigest: string): Promise<string>
  /** Removes bundles and packages that nobody in `keep` names and that are older than `ageMs`. */
  collect(
    keep: { packages: ReadonlySet<string>; bundles: ReadonlySet<string> },
    ageMs: number,
  ): Promise<{ removed: number; freedBytes: number }>
}

/** A package that was checked and is kept. */
export interface ReceivedPackage {
  /** `sha256:<hex>` over the canonical contents, so that zip, tar and folder of the same files agree. */
  readonly digest: string
  readonly sizeBytes: number
  readonly fileName: string
  /** File names relative to the package's root. */
  readonly files: readonly string[]
}

/** A package to make runnable. */
export interface BuildRequest {
  readonly packageDigest: string
  readonly environment: string
  readonly entry: string | undefined
  /** The entry is a program that speaks a contract itself, and no handler. @default false */
  readonly isProgram?: boolean
  /**
   * Builds share installed dependencies only within one scope (a project's id): install scripts are tenants' code, and what
   * they leave behind must not reach another tenant. Places to build are shared fairly between scopes. Without one a build
   * shares nothing but itself.
   */
  readonly cacheScope?: string
  onEvent(event: BuildEvent): void
}

/** What a build does and says, as it comes. */
export type BuildEvent =
  | { readonly kind: 'stage'; readonly stage: 'unpack' | 'dependencies' | 'check'; readonly detail: string }
  | { readonly kind: 'log'; readonly stream: 'stdout' | 'stderr'; readonly text: string }

/** A bundle, with the log of the build that made it. `cached`: nothing had to be done. */
export interface BuildResult {
  readonly bundleDigest: string
  readonly entry: string
  readonly log: string
  readonly cached: boolean
  readonly size: BundleSize
}

/** What a bundle takes up, unpacked. */
export interface BundleSize {
  /** What no other bundle has. */
  readonly ownBytes: number
  /** Installed dependencies, which bundles of one project share: all with this digest take it up once. */
  readonly shared?: { readonly digest: string; readonly bytes: number }
}
