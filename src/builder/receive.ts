import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { AtelierError } from '../core/index.ts'
import type { ReceivedPackage } from './build.ts'
import { asStorageError } from './files.ts'
import type { PackageLimits } from './limits.ts'
import { showBytes } from './limits.ts'
import { makeManifest } from './manifest.ts'
import { invalidPackage } from './names.ts'
import type { PackageStore } from './package-store.ts'
import { type Format, sniff } from './sniff.ts'
import { Spool } from './spool.ts'
import { readTar } from './tar.ts'
import { readZip } from './zip.ts'

const HEAD_BYTES = 1024

/** See `Builder.receive`. Everything happens in a folder of its own below `temporary`, removed at the end. */
export async function receive(
  source: Readable,
  fileName: string,
  into: { readonly store: PackageStore; readonly temporary: string; readonly limits: PackageLimits },
  signal: AbortSignal,
): Promise<ReceivedPackage> {
  // It may break before anybody reads from it; `save` finds that out.
  source.on('error', () => {})
  const scratch = await mkdtemp(join(into.temporary, 'receive-'))
  try {
    const archive = join(scratch, 'archive')
    const bytes = await save(source, archive, into.limits, signal)
    if (bytes === 0) throw invalidPackage('is empty: it has no bytes')
    const format = sniff(await firstBytes(archive), fileName)
    const spool = await Spool.create(join(scratch, 'spool'), bytes, into.limits, signal)
    try {
      await unpack(format, archive, spool, into.limits)
      const manifest = makeManifest(spool.entries, fileName)
      await into.store.put(manifest, await spool.finish(), scratch)
      const { digest, sizeBytes, entries } = manifest
      return { digest, sizeBytes, fileName, files: entries.map(entry => entry.path) }
    } finally {
      await spool.close()
    }
  } catch (thrown) {
    if (signal.aborted) throw new AtelierError('CANCELLED', 'The upload was given up.', { cause: thrown })
    // A file that cannot be written ends the source with the same error, so what the disk says is asked first.
    const failure = asStorageError(thrown, 'a package')
    if (source.errored === thrown && !(failure instanceof AtelierError))
      throw new AtelierError('CANCELLED', 'The upload broke off before its end.', { cause: thrown })
    throw failure
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Streams the upload to a file, counting. */
async function save(
  source: Readable,
  path: string,
  limits: PackageLimits,
  signal: AbortSignal,
): Promise<number> {
  const most = limits.archiveBytesMax
  let bytes = 0
  const file = await open(path, 'wx', 0o600)
  await pipeline(
    source,
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        bytes += chunk.length
        if (bytes > most)
          throw new AtelierError(
            'BODY_TOO_LARGE',
            `The package is larger than ${showBytes(most)}, the most that is taken.`,
          )
        yield chunk
      }
    },
    file.createWriteStream(),
    { signal },
  )
  return bytes
}

async function unpack(format: Format, archive: string, spool: Spool, limits: PackageLimits): Promise<void> {
  if (format.kind === 'zip') return readZip(archive, spool, limits)
  if (format.kind === 'file') {
    const { name, executable } = format
    return spool.add({ name, kind: 'file', executable }, () => createReadStream(archive))
  }
  if (format.kind === 'tar') return readTar(createReadStream(archive), spool)
  const packed = createReadStream(archive)
  const unpacked = packed.pipe(createGunzip())
  packed.on('error', thrown => unpacked.destroy(thrown))
  try {
    await readTar(bounded(unpacked, limits), spool)
  } catch (thrown) {
    if (thrown instanceof AtelierError || !String((thrown as NodeJS.ErrnoException).code).startsWith('Z_'))
      throw thrown
    throw invalidPackage('is a damaged gzip file; upload it again', thrown)
  } finally {
    packed.destroy()
    unpacked.destroy()
  }
}

/** What lies between and after a tar's files weighs too: headers and padding may come to as much as the files. */
async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  limits: PackageLimits,
): AsyncGenerator<Uint8Array> {
  const most = 2 * limits.contentBytesMax
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > most) throw invalidPackage(`unpacks to more than ${showBytes(most)}`)
    yield chunk
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file?.close()
  }
}
