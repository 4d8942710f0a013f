import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Backend } from '../backends/index.ts'
import { AtelierError, asAtelierError, type Clock, systemClock } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import type { Builder, BuildRequest, BuildResult, ReceivedPackage } from './build.ts'
import { BuildLog } from './build-log.ts'
import { type BuildRecord, BundleStore } from './bundle-store.ts'
import { Collector } from './collect.ts'
import { DependencyCache } from './dependency-cache.ts'
import { keyOf } from './digests.ts'
import { asStorageError } from './files.ts'
import { Jobs } from './jobs.ts'
import {
  BUILD_LIMITS_DEFAULT,
  type BuildLimits,
  PACKAGE_LIMITS_DEFAULT,
  type PackageLimits,
} from './limits.ts'
import type { Manifest } from './manifest.ts'
import { PackageStore } from './package-store.ts'
import { receive } from './receive.ts'
import { registryFolder } from './registry-folder.ts'
import { type Order, runBuild, type Workshop } from './run-build.ts'
import { SharedFolders, type SharedShelf } from './shared.ts'
import { ToolCache } from './tool-cache.ts'
import { removeTree, seal } from './tree.ts'

/** What `createBuilder` stands on. */
export interface BuilderOptions {
  /** Data directory: packages, bundles, caches and work in progress live below it. Made when it is not there. */
  readonly path: string
  readonly backend: Backend
  /** By name. */
  readonly environments: ReadonlyMap<string, Environment>
  /** @default the system's */
  readonly clock?: Clock
  readonly packageLimits?: Partial<PackageLimits>
  readonly buildLimits?: Partial<BuildLimits>
  /** Environment variables that say how registries are reached. @default this process's */
  readonly registryEnvironment?: NodeJS.ProcessEnv
  /** Where servers that work together keep packages and bundles for each other. @default this one works alone */
  readonly shelf?: SharedShelf
  /** Told what an operator should know. */
  readonly log?: (message: string) => void
}

/** A builder that its owner closes. */
export interface OwnedBuilder extends Builder {
  /** Gives up running builds; resolves when their sandboxes and folders are gone. */
  close(): Promise<void>
}

/** Opens the builder's part of the data directory, and removes what an earlier process left unfinished. */
export async function createBuilder(options: BuilderOptions): Promise<OwnedBuilder> {
  const at = (name: string) => join(options.path, name)
  const clock = options.clock ?? systemClock
  await mkdir(options.path, { recursive: true })
  await mkdir(at('tmp'), { recursive: true, mode: 0o700 })
  const packages = await PackageStore.open(at('packages'), clock)
  const bundles = await BundleStore.open(at('bundles'), at('builds'), clock)
  const cache = await DependencyCache.open(at('dependencies'), clock)
  const tools = await ToolCache.open(at('tools'), clock)
  const leftovers = await readdir(at('tmp'))
  return new LocalBuilder(options, { packages, bundles, cache, tools, clock }, leftovers)
}

interface Stores {
  readonly packages: PackageStore
  readonly bundles: BundleStore
  readonly cache: DependencyCache
  readonly tools: ToolCache
  readonly clock: Clock
}

class LocalBuilder implements OwnedBuilder {
  readonly #environments: ReadonlyMap<string, Environment>
  readonly #packages: PackageStore
  readonly #bundles: BundleStore
  readonly #temporary: string
  readonly #packageLimits: PackageLimits
  readonly #limits: BuildLimits
  readonly #jobs: Jobs<BuildRecord>
  readonly #workshop: Workshop
  readonly #collector: Collector
  readonly #cleaned: Promise<void>
  readonly #shared: SharedFolders | undefined
  readonly #clock: Clock

  constructor(options: BuilderOptions, stores: Stores, leftovers: readonly string[]) {
    this.#environments = options.environments
    this.#packages = stores.packages
    this.#bundles = stores.bundles
    this.#temporary = join(options.path, 'tmp')
    this.#shared = options.shelf && new SharedFolders(options.shelf, this.#temporary)
    this.#clock = stores.clock
    this.#packageLimits = { ...PACKAGE_LIMITS_DEFAULT, ...options.packageLimits }
    this.#limits = { ...BUILD_LIMITS_DEFAULT, ...options.buildLimits }
    this.#jobs = new Jobs(this.#limits.buildsMax, this.#limits.waitingMax)
    const registry = registryFolder(
      join(options.path, 'registry'),
      options.registryEnvironment ?? process.env,
      options.log,
    )
    this.#workshop = {
      packages: stores.packages,
      cache: stores.cache,
      tools: stores.tools,
      backend: options.backend,
      clock: stores.clock,
      limits: this.#limits,
      temporary: this.#temporary,
      registry,
    }
    this.#collector = new Collector({
      ...stores,
      temporary: this.#temporary,
      limits: this.#limits,
    })
    // Beside the work: there may be much of it.
    this.#cleaned = cleanUp(this.#temporary, leftovers).catch((thrown: unknown) => {
      options.log?.(`leftovers of builds could not be removed from ${this.#temporary}: ${String(thrown)}`)
    })
  }

  async receive(source: Readable, fileName: string, signal: AbortSignal): Promise<ReceivedPackage> {
    const into = { store: this.#packages, temporary: this.#temporary, limits: this.#packageLimits }
    const received = await receive(source, fileName, into, signal)
    await this.#shared?.keep('package', received.digest, this.#packages.at(received.digest))
    return received
  }

  async discard(packageDigest: string, receivedAt: number): Promise<void> {
    if (!this.#collector.isHeld(packageDigest)) await this.#packages.removeUnused(packageDigest, receivedAt)
  }

  async build(request: BuildRequest, signal: AbortSignal): Promise<BuildResult> {
    const release = this.#collector.hold(request.packageDigest)
    try {
      const manifest = await this.#orFetched('package', request.packageDigest, () =>
        this.#packages.manifest(request.packageDigest),
      )
      const order = await this.#orderFor(request, manifest)
      const { name } = order.environment
      const machine = `${process.platform} ${process.arch}`
      const key = keyOf(
        'build 1',
        manifest.digest,
        name,
        order.environmentRevision,
        order.entry,
        order.cacheScope,
        machine,
        ...(order.isProgram ? ['program'] : []),
      )
      const found = await this.#bundles.find(key)
      if (found) {
        await this.#share(found)
        request.onEvent({ kind: 'stage', stage: 'check', detail: 'the package was built before' })
        return { size: { ownBytes: 0 }, ...found, cached: true }
      }
      const listener = (event: Parameters<BuildRequest['onEvent']>[0]) => request.onEvent(event)
      const record = await this.#jobs.run(key, order.cacheScope, listener, signal, (emit, stop) =>
        this.#make(key, order, emit, stop),
      )
      await this.#share(record)
      return { size: { ownBytes: 0 }, ...record, cached: false }
    } finally {
      release()
    }
  }

  async locate(bundleDigest: string): Promise<string> {
    const path = await this.#orFetched('bundle', bundleDigest, () => this.#bundles.locate(bundleDigest))
    this.#collector.used(bundleDigest)
    return path
  }

  openPackage(digest: string): Promise<Readable> {
    return this.#orFetched('package', digest, () => this.#packages.read(digest))
  }

  async collect(
    keep: { packages: ReadonlySet<string>; bundles: ReadonlySet<string> },
    ageMs: number,
  ): Promise<{ removed: number; freedBytes: number }> {
    const collected = await this.#collector.collect(keep, ageMs)
    if (this.#shared) {
      const own = {
        packages: (await this.#packages.list()).map(({ digest }) => digest),
        bundles: (await this.#bundles.list()).map(({ digest }) => digest),
      }
      await this.#shared.keepMissing('package', own.packages, keep.packages, this.#packages)
      await this.#shared.keepMissing('bundle', own.bundles, keep.bundles, this.#bundles)
      await this.#shared.collect(keep, this.#clock.now() - ageMs)
    }
    return collected
  }

  async close(): Promise<void> {
    await this.#jobs.close()
    await this.#cleaned
  }

  /** What another server may have, when it is not here. */
  async #orFetched<T>(kind: 'package' | 'bundle', digest: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      const isGone = error instanceof AtelierError && error.code === 'GONE'
      if (!isGone || !(await this.#fetch(kind, digest))) throw error
      return read()
    }
  }

  async #fetch(kind: 'package' | 'bundle', digest: string): Promise<boolean> {
    if (!this.#shared) return false
    try {
      return await this.#shared.fetch(kind, digest, async folder => {
        if (kind === 'package') return this.#packages.take(folder, digest)
        await seal(folder, 2 * this.#limits.diskBytesMax, new AbortController().signal)
        return this.#bundles.take(folder, digest)
      })
    } catch (error) {
      throw asAtelierError(asStorageError(error, `the ${kind} of another server`))
    }
  }

  async #share({ bundleDigest }: BuildRecord): Promise<void> {
    await this.#shared?.keep('bundle', bundleDigest, this.#bundles.at(bundleDigest))
  }

  async #orderFor(request: BuildRequest, manifest: Manifest): Promise<Order> {
    const environment = this.#environments.get(request.environment)
    if (!environment) {
      const known = [...this.#environments.keys()].join(', ')
      throw new AtelierError(
        'INVALID_INPUT',
        `There is no environment ${JSON.stringify(request.environment)}; there are: ${known}.`,
        {
          errors: [{ pointer: 'environment', detail: 'unknown' }],
        },
      )
    }
    const { isProgram = false } = request
    const paths = manifest.entries.map(each => each.path)
    const entry = request.entry ?? environment.defaultEntry(paths, { isProgram })
    if (entry === undefined)
      throw new AtelierError(
        'BUILD_FAILED',
        `The package does not show which file to run, and no entry is given. Set "entry": ${environment.entryHelp}`,
      )
    const status = await environment.probe()
    if (!status.ready)
      throw new AtelierError(
        'UNAVAILABLE',
        `The environment ${environment.name} cannot run on this server: ${status.reason}`,
      )
    const cacheScope = request.cacheScope ?? request.packageDigest
    return { manifest, environment, environmentRevision: status.revision, entry, isProgram, cacheScope }
  }

  async #make(
    key: string,
    order: Order,
    emit: BuildRequest['onEvent'],
    signal: AbortSignal,
  ): Promise<BuildRecord> {
    const log = new BuildLog(this.#limits.logBytesMax, emit)
    let made: BuildRecord | undefined
    try {
      await runBuild(this.#workshop, order, log, signal, async (folder, bundleDigest, size) => {
        made = { bundleDigest, entry: order.entry, log: log.toString(), size }
        await this.#bundles.publish(folder, key, made)
      })
    } catch (thrown) {
      if (signal.aborted) throw new AtelierError('CANCELLED', 'The build was given up.', { cause: thrown })
      throw asAtelierError(asStorageError(thrown, 'a build'))
    }
    return made!
  }
}

async function cleanUp(temporary: string, names: readonly string[]): Promise<void> {
  for (const name of names) await removeTree(join(temporary, name))
}
