import { buffer } from 'node:stream/consumers'
import { packTar } from 'modern-tar'
import * as yauzl from 'yauzl'
import { QinlingError } from './answers.ts'
import { ARCHIVE_NAME } from './tar.ts'

/** The folder of a package in which a runtime of an image finds the code. */
export const CODE_FOLDER = 'code'

const UNPACKED_BYTES_MAX = 64 * 1024 * 1024
const ENTRIES_MAX = 10_000

/** Archives are taken apart one after the other: what comes out of one is all in memory. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * A package with an archive as it was sent, and what is in it beside it: for runtimes that take files as they are. Names and what they
 * lead to are judged where packages are received.
 */
export function unpackedBeside(archive: Buffer): Promise<Buffer> {
  const unpacked = turn.then(() => unpack(archive))
  turn = unpacked.catch(() => {})
  return unpacked
}

async function unpack(archive: Buffer): Promise<Buffer> {
  const entries = [
    { header: { name: ARCHIVE_NAME, size: archive.length, type: 'file' as const }, body: archive },
  ]
  for (const { name, body } of await contentsOf(archive))
    entries.push({ header: { name: `${CODE_FOLDER}/${name}`, size: body.length, type: 'file' }, body })
  return Buffer.from(await packTar(entries))
}

async function contentsOf(archive: Buffer): Promise<{ readonly name: string; readonly body: Buffer }[]> {
  try {
    const zip = await yauzl.fromBufferPromise(archive, { lazyEntries: true, validateEntrySizes: true })
    if (zip.entryCount > ENTRIES_MAX)
      throw new QinlingError(400, `The package has more than ${ENTRIES_MAX} files.`)
    const files: { name: string; body: Buffer }[] = []
    let bytes = 0
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith('/')) continue
      bytes += entry.uncompressedSize // which is what comes out, or reading it fails
      if (bytes > UNPACKED_BYTES_MAX)
        throw new QinlingError(
          400,
          `The package has more than ${UNPACKED_BYTES_MAX} bytes when it is unpacked.`,
        )
      files.push({ name: entry.fileName, body: await buffer(await zip.openReadStreamPromise(entry)) })
    }
    return files
  } catch (error) {
    if (error instanceof QinlingError) throw error
    throw new QinlingError(400, 'Package is not a valid ZIP package.', { cause: error })
  }
}
