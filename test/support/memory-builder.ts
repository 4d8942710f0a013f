import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Builder, BuildRequest, BuildResult, ReceivedPackage } from '../../src/builder/index.ts'
import { AtelierError } from '../../src/core/index.ts'

interface Stored {
  readonly bytes: Buffer
  readonly fileName: string
  readonly at: number
}

/**
 * A builder of single-file packages that keeps them in memory. The bundle of a package is named by what it was made from;
 * source that says "syntax error" does not build.
 */
export class MemoryBuilder implements Builder {
  readonly packages = new Map<string, Stored>()
  readonly bundles = new Map<string, number>()
  readonly #now: () => number
  /** Dependencies that all bundles share. */
  shared: NonNullable<BuildResult['size']['shared']> | undefined
  /** Waited for in each build, to hold it in the middle. */
  hold: (request: BuildRequest) => Promise<void> = async () => {}

  constructor(now: () => number) {
    this.#now = now
  }

  async receive(source: Readable, fileName: string, signal: AbortSignal): Promise<ReceivedPackage> {
    const chunks: Buffer[] = []
    for await (const chunk of source) chunks.push(Buffer.from(chunk as Uint8Array))
    if (signal.aborted) throw new AtelierError('CANCELLED', 'The caller left.')
    const bytes = Buffer.concat(chunks)
    if (bytes.length === 0) throw new AtelierError('PACKAGE_INVALID', 'The package is empty.')
    const digest = digestOf(fileName, bytes)
    this.packages.set(digest, { bytes, fileName, at: this.#now() })
    return { digest, sizeBytes: bytes.length, fileName, files: [fileName] }
  }

  async discard(packageDigest: string, receivedAt: number): Promise<void> {
    if ((this.packages.get(packageDigest)?.at ?? Number.POSITIVE_INFINITY) <= receivedAt)
      this.packages.delete(packageDigest)
  }

  async build(request: BuildRequest, signal: AbortSignal): Promise<BuildResult> {
    const stored = this.#get(request.packageDigest)
    request.onEvent({ kind: 'stage', stage: 'unpack', detail: stored.fileName })
    await this.hold(request)
    if (signal.aborted) throw new AtelierError('CANCELLED', 'The caller left.')
    const text = stored.bytes.toString()
    const log = `checking ${stored.fileName}\n`
    request.onEvent({ kind: 'log', stream: 'stdout', text: log })
    if (text.includes('syntax error')) {
      request.onEvent({ kind: 'log', stream: 'stderr', text: `${stored.fileName}: syntax error\n` })
      throw new AtelierError('BUILD_FAILED', `${stored.fileName} has a syntax error.`)
    }
    const entry = request.entry ?? stored.fileName
    const bundleDigest = digestOf(request.environment, entry, stored.bytes)
    const cached = this.bundles.has(bundleDigest)
    this.bundles.set(bundleDigest, this.#now())
    return {
      bundleDigest,
      entry,
      log,
      cached,
      size: { ownBytes: stored.bytes.length, ...(this.shared && { shared: this.shared }) },
    }
  }

  async locate(bundleDigest: string): Promise<string> {
    if (!this.bundles.has(bundleDigest)) throw new AtelierError('GONE', 'There is no such bundle.')
    return `/nowhere/${bundleDigest}`
  }

  async openPackage(packageDigest: string): Promise<Readable> {
    return Readable.from([this.#get(packageDigest).bytes])
  }

  async collect(
    keep: { packages: ReadonlySet<string>; bundles: ReadonlySet<string> },
    ageMs: number,
  ): Promise<{ removed: number; freedBytes: number }> {
    const before = this.#now() - ageMs
    let removed = 0
    for (const [digest, { at }] of this.packages)
      if (!keep.packages.has(digest) && at < before && this.packages.delete(digest)) removed++
    for (const [digest, at] of this.bundles)
      if (!keep.bundles.has(digest) && at < before && this.bundles.delete(digest)) removed++
    return { removed, freedBytes: 0 }
  }

  #get(digest: string): Stored {
    const stored = this.packages.get(digest)
    if (!stored) throw new AtelierError('GONE', 'There is no such package.')
    return stored
  }
}

function digestOf(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return `sha256:${hash.digest('hex')}`
}
