import { mkdir, mkdtemp, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Backend } from '../backends/index.ts'
import { AtelierError, type Clock, type NetworkMode, newId } from '../core/index.ts'
import type { BuildPlan, BuildStep, Environment } from '../environments/index.ts'
import type { BundleSize } from './build.ts'
import type { BuildLog } from './build-log.ts'
import type { CachedDependencies, DependencyCache } from './dependency-cache.ts'
import { keyOf } from './digests.ts'
import { stepFailure } from './explain.ts'
import type { BuildLimits } from './limits.ts'
import { showBytes } from './limits.ts'
import type { Manifest } from './manifest.ts'
import type { PackageStore } from './package-store.ts'
import { REGISTRY_TARGET } from './registry.ts'
import type { RegistryFolder } from './registry-folder.ts'
import { asksForNothing, needsSources, SETTINGS_FILES } from './sources.ts'
import { TOOL_CACHE_TARGET, type ToolCache } from './tool-cache.ts'
import { hasFolder, linkTree, openFolders, removeTree, seal } from './tree.ts'

const LOCK_FILE_BYTES_MAX = 32 * 1024 * 1024

/** What a build works with. */
export interface Workshop {
  readonly packages: PackageStore
  readonly cache: DependencyCache
  readonly tools: ToolCache
  readonly backend: Backend
  readonly clock: Clock
  readonly limits: BuildLimits
  readonly temporary: string
  /** How registries are reached, and the folder with the files that this refers to. */
  registry(): Promise<RegistryFolder>
}

/** What is to be built. */
export interface Order {
  readonly manifest: Manifest
  readonly environment: Environment
  readonly environmentRevision: string
  readonly entry: string
  /** As in `BuildRequest`. */
  readonly isProgram: boolean
  /** Who shares installed dependencies. */
  readonly cacheScope: string
}

/**
 * Builds one package in sandboxes, in a folder of its own. `publish` gets the finished, sealed folder, its digest and size before
 * everything else is removed. Rejects with BUILD_FAILED, CANCELLED or STORAGE_FULL.
 */
export async function runBuild(
  shop: Workshop,
  order: Order,
  log: BuildLog,
  signal: AbortSignal,
  publish: (folder: string, bundleDigest: string, size: BundleSize) => Promise<void>,
): Promise<void> {
  const scratch = await mkdtemp(join(shop.temporary, 'build-'))
  let build: Build | undefined
  try {
    build = new Build(shop, order, log, signal, scratch)
    const { folder, digest, size } = await build.make()
    signal.throwIfAborted()
    await publish(folder, digest, size)
  } finally {
    await build?.giveToolsBack()
    await removeTree(scratch)
  }
}

interface Finished {
  readonly folder: string
  readonly digest: string
  readonly size: BundleSize
}

class Build {
  readonly #shop: Workshop
  readonly #order: Order
  readonly #log: BuildLog
  readonly #signal: AbortSignal
  readonly #scratch: string
  readonly #plan: BuildPlan
  /** What the tools remember, while this build has it. */
  #tools: string | undefined

  constructor(shop: Workshop, order: Order, log: BuildLog, signal: AbortSignal, scratch: string) {
    this.#shop = shop
    this.#order = order
    this.#log = log
    this.#signal = signal
    this.#scratch = scratch
    this.#plan = order.environment.buildPlan(this.#paths(), order)
  }

  async make(): Promise<Finished> {
    const { manifest } = this.#order
    const work = join(this.#scratch, 'work')
    const count = manifest.entries.length
    this.#log.stage(
      'unpack',
      `unpacking ${count} ${count === 1 ? 'file' : 'files'}, ${showBytes(manifest.sizeBytes)}`,
    )
    await mkdir(work)
    await this.#shop.packages.unpack(manifest, work, this.#signal)
    await openFolders(work)
    if (this.#plan.keepsToolCache) await this.#takeTools()
    if (!this.#installs()) {
      await this.#check(work)
      return this.#finish(work, undefined)
    }
    const locks = await this.#lockFiles(work)
    if (locks.size > 0 && asksForNothing(locks)) {
      await this.#check(work)
      return this.#finish(work, undefined)
    }
    if (this.#plan.dependencyFolder === undefined || needsSources(locks)) {
      await this.#install(work)
      await this.#check(work)
      return this.#finish(work, undefined)
    }
    // A mistake in the code is told before the longer step, which does not need the code.
    await this.#check(work)
    return this.#finish(work, await this.#dependencies(locks))
  }

  /** Beside the work folder and not in it: there a build could put a link to anywhere in its place. */
  async #takeTools(): Promise<void> {
    const { tools } = this.#shop
    const folder = join(this.#scratch, 'tools')
    await tools.take(this.#toolsKey, folder, this.#plan.toolCacheSeed)
    await openFolders(folder)
    this.#tools = folder
  }

  /** Keeps what the tools have learned, also when the build has failed: the next try is the quicker. */
  async giveToolsBack(): Promise<void> {
    const folder = this.#tools
    this.#tools = undefined
    if (folder === undefined) return
    const { tools, limits } = this.#shop
    await tools.giveBack(this.#toolsKey, folder, limits.toolCacheBytesMax).catch(() => {}) // only a cache
    await removeTree(folder) // what was not kept is no part of the bundle
  }

  get #toolsKey(): string {
    const { cacheScope, environment, environmentRevision } = this.#order
    return keyOf('tools 1', cacheScope, environment.name, environmentRevision)
  }

  /** Whether there is something to install: a package that brings its dependencies along needs no network. */
  #installs(): boolean {
    const { dependencySteps, dependencyFolder } = this.#plan
    if (dependencySteps.length === 0) return false
    if (
      dependencyFolder === undefined ||
      !this.#paths().some(path => path.startsWith(`${dependencyFolder}/`))
    )
      return true
    this.#log.stage('dependencies', `the package brings its dependencies along in ${dependencyFolder}`)
    return false
  }

  /** The installed dependencies that these lock files decide, from the cache or made in a folder with nothing else. */
  async #dependencies(locks: ReadonlyMap<string, string>): Promise<CachedDependencies> {
    const { environment, environmentRevision, cacheScope } = this.#order
    const dependencyFolder = this.#plan.dependencyFolder!
    const commands = this.#plan.dependencySteps.map(step => [step.command, step.env])
    const key = keyOf(
      'dependencies 1',
      cacheScope,
      environment.name,
      environmentRevision,
      `${process.platform} ${process.arch}`,
      dependencyFolder,
      JSON.stringify(commands),
      ...[...locks].flat(),
    )
    const cached = await this.#shop.cache.find(key)
    if (cached) {
      this.#log.stage(
        'dependencies',
        `the dependencies are those of an earlier build (${[...locks.keys()].join(', ')} unchanged)`,
      )
      return cached
    }
    const folder = join(this.#scratch, 'install')
    await mkdir(folder)
    await this.#shop.packages.unpack(this.#order.manifest, folder, this.#signal, [...locks.keys()])
    await openFolders(folder)
    await this.#install(folder)
    const tree = join(folder, dependencyFolder)
    if (!(await hasFolder(folder, dependencyFolder))) await mkdir(tree, { recursive: true })
    const sealed = await seal(tree, this.#shop.limits.diskBytesMax, this.#signal)
    return this.#shop.cache.put(key, tree, sealed, this.#scratch)
  }

  async #install(folder: string): Promise<void> {
    const { settings, folder: registry } = await this.#shop.registry()
    // Caches of the tools count as what the build writes, and are gone when it ends.
    const home = `.home-${newId(this.#shop.clock.now())}`
    await mkdir(join(folder, home))
    await openFolders(join(folder, home))
    const env = { ...settings.env, CI: 'true', HOME: `/work/${home}` }
    const mounts = [{ source: registry, target: REGISTRY_TARGET, writable: false }]
    for (const step of this.#plan.dependencySteps)
      await this.#step('dependencies', step, folder, 'outbound', env, mounts)
    await removeTree(join(folder, home))
  }

  async #check(folder: string): Promise<void> {
    for (const step of this.#plan.checkSteps) await this.#step('check', step, folder, 'none', {}, [])
  }

  async #step(
    stage: 'dependencies' | 'check',
    step: BuildStep,
    workPath: string,
    network: NetworkMode,
    env: Readonly<Record<string, string>>,
    mounts: NonNullable<BuildStep['mounts']>,
  ): Promise<void> {
    this.#signal.throwIfAborted()
    const { backend, clock, limits } = this.#shop
    this.#log.stage(stage, step.title)
    const result = await backend.run(
      {
        id: newId(clock.now()),
        command: step.command,
        env: { ...env, ...step.env },
        workPath,
        mounts: [
          ...mounts,
          ...(step.mounts ?? []),
          ...(this.#tools === undefined
            ? []
            : [{ source: this.#tools, target: TOOL_CACHE_TARGET, writable: true }]),
        ],
        network,
        limits: limits.step,
        diskBytesMax: limits.diskBytesMax,
        onOutput: (stream, chunk) => this.#log.write(stream, chunk),
      },
      this.#signal,
    )
    if (result.reason !== 'exit' || result.code !== 0)
      throw stepFailure(step.title, step.command, result, this.#log.tail, limits)
  }

  /** Seals the work folder and puts shared dependencies into it. */
  async #finish(work: string, shared: CachedDependencies | undefined): Promise<Finished> {
    const dependencyFolder = this.#plan.dependencyFolder
    await this.giveToolsBack()
    if (shared && dependencyFolder !== undefined) {
      await hasFolder(work, dirname(dependencyFolder))
      await removeTree(join(work, dependencyFolder))
    }
    const sealed = await seal(work, this.#shop.limits.diskBytesMax, this.#signal)
    if (shared && dependencyFolder !== undefined) {
      const target = join(work, dependencyFolder)
      await mkdir(dirname(target), { recursive: true })
      await linkTree(shared.folder, target, this.#signal)
    }
    // Under a name of its own: what the sandbox was shown is gone.
    const folder = join(this.#scratch, 'bundle')
    await rename(work, folder)
    const digest = keyOf('bundle 1', sealed.digest, shared ? dependencyFolder! : '', shared?.digest ?? '')
    return {
      folder,
      digest: `sha256:${digest}`,
      size: {
        ownBytes: sealed.bytes,
        ...(shared && { shared: { digest: shared.digest, bytes: shared.bytes } }),
      },
    }
  }

  async #lockFiles(work: string): Promise<Map<string, string>> {
    const texts = new Map<string, string>()
    for (const entry of this.#order.manifest.entries) {
      if (!this.#plan.lockFiles.includes(entry.path) && !SETTINGS_FILES.includes(entry.path)) continue
      if (entry.kind === 'link' || entry.size > LOCK_FILE_BYTES_MAX)
        throw new AtelierError(
          'BUILD_FAILED',
          `${entry.path} is a link or larger than ${showBytes(LOCK_FILE_BYTES_MAX)}.`,
        )
      texts.set(entry.path, await readFile(join(work, entry.path), 'utf8'))
    }
    return texts
  }

  #paths(): string[] {
    return this.#order.manifest.entries.map(entry => entry.path)
  }
}
