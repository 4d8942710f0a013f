import { createReadStream } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, extname, join, relative, sep } from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { IGNORED_BY_DEFAULT, ignoreRules } from './ignore.ts'

/** What a deploy sends: known in number and size before the first byte goes out. */
export interface SourcePackage {
  readonly fileName: string
  readonly fileCount: number
  /** Bytes before compression. */
  readonly sizeBytes: number
  /** A fresh stream of the whole package; may be called again for another try. */
  open(): Readable
}

interface PackedFile {
  readonly source: string
  readonly target: string
  readonly sizeBytes: number
  readonly executable: boolean
}

const FILES_MAX = 100_000
const ARCHIVE = /\.(zip|tar|tar\.gz|tgz)$/i

/** Packs a folder, or takes one file as it is: an archive, or a single source file. */
export async function packSource(path: string): Promise<SourcePackage> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new CliFailure(EXIT.notFound, `${path} does not exist`, {
      hint: 'Give the folder or file to deploy: atelier deploy FOLDER.',
      cause,
    })
  })
  if (stats.isDirectory()) return await packFolder(path)
  if (!stats.isFile()) throw usage(`${path} is neither a folder nor a file`)
  if (stats.size === 0) throw usage(`${path} is empty: there is nothing to deploy`)
  return { fileName: basename(path), fileCount: 1, sizeBytes: stats.size, open: () => createReadStream(path) }
}

/** A function's name from its folder or file: `My Photos/` gives `My-Photos`, `hello.mjs` gives `hello`. `undefined` when nothing is left. */
export function nameFromPath(path: string): string | undefined {
  const base = basename(path)
  const bare = base.replace(ARCHIVE, '').replace(extname(base.replace(ARCHIVE, '')), '')
  const name = bare
    .normalize('NFKD')
    .replace(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, '')
    .slice(0, 63)
  return name === '' ? undefined : name
}

async function packFolder(folder: string): Promise<SourcePackage> {
  const files = await listFiles(folder)
  if (files.length === 0)
    throw usage(
      `${folder} has no files to deploy`,
      'Is it the right folder? "atelier init nodejs-hello FOLDER" makes one to begin with.',
    )
  const { packTar } = await import('modern-tar/fs')
  return {
    fileName: 'source.tar.gz',
    fileCount: files.length,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    open() {
      const sources = files.map(({ source, target, executable }) => ({
        type: 'file' as const,
        source,
        target,
        mode: executable ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
      }))
      const gzip = createGzip()
      pipeline(packTar(sources), gzip, () => undefined) // a failure destroys `gzip`, whose reader hears of it
      return gzip
    },
  }
}

/** The files of a folder that are not ignored, sorted by their names in the package. */
export async function listFiles(folder: string): Promise<PackedFile[]> {
  const own = await readFile(join(folder, '.atelierignore'), 'utf8').catch(() => '')
  const rules = ignoreRules([...IGNORED_BY_DEFAULT, ...own.split(/\r?\n/)])
  const root = await realpath(folder)
  const files: PackedFile[] = []
  const open = ['']
  while (open.length > 0) {
    const parent = open.pop()!
    for (const entry of await readdir(join(folder, parent), { withFileTypes: true })) {
      const target = parent === '' ? entry.name : `${parent}/${entry.name}`
      if (rules.ignores(target, entry.isDirectory())) continue
      if (entry.isDirectory()) {
        open.push(target)
        continue
      }
      const source = join(folder, target)
      if (entry.isSymbolicLink()) await checkLink(root, source, target)
      else if (!entry.isFile())
        throw usage(
          `${source} is not a file that can be deployed`,
          'Remove it, or name it in .atelierignore.',
        )
      const stats = await stat(source)
      files.push({ source, target, sizeBytes: stats.size, executable: (stats.mode & 0o100) !== 0 })
      if (files.length > FILES_MAX)
        throw usage(
          `${folder} has more than ${FILES_MAX} files`,
          'Is it the right folder? Name what does not belong in .atelierignore.',
        )
    }
  }
  return files.sort((a, b) => (a.target < b.target ? -1 : 1))
}

/** A link is packed as the file it points to, so it must point to a file of the folder itself: nothing else leaves the machine. */
async function checkLink(root: string, source: string, target: string): Promise<void> {
  const way = 'Replace it by a copy, or name it in .atelierignore.'
  const end = await realpath(source).catch(() => undefined)
  if (end === undefined) throw usage(`${target} is a link to nowhere`, way)
  const inside = relative(root, end)
  if (inside === '..' || inside.startsWith(`..${sep}`))
    throw usage(`${target} is a link to ${end}, outside the folder`, way)
  if ((await stat(source)).isDirectory()) throw usage(`${target} is a link to a folder`, way)
}
