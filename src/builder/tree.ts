import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  lchown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  unlink,
} from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { AtelierError } from '../core/index.ts'
import { isMissing } from './files.ts'
import { showBytes } from './limits.ts'

const LINK_HOPS_MAX = 40
const WHOLE_BYTES_MAX = 1024 * 1024
const FILES_MAX = 200_000 // far beyond what any set of dependencies holds

const run = promisify(execFile)

/** What lies in a sealed folder. */
export interface Sealed {
  /** Hexadecimal, over names, kinds and contents. */
  readonly digest: string
  readonly bytes: number
  readonly files: number
}

/**
 * Makes a folder that a tenant's process has filled safe to keep and to show to instances: everything belongs to us, files are
 * 0444 or 0555 (set-user-id bits are gone), folders 0755, pipes and sockets are removed, and links lead nowhere out of
 * `root`. No process may be writing there any more. Nothing is ever read through a link. Rejects with
 * BUILD_FAILED at a link that leads out, at more than `bytesMax` bytes, and at names and counts that nobody can handle.
 */
export async function seal(root: string, bytesMax: number, signal: AbortSignal): Promise<Sealed> {
  try {
    return await sealAll(root, bytesMax, signal)
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? ''
    if (!['ENOENT', 'ENAMETOOLONG', 'ELOOP'].includes(code)) throw thrown
    throw new AtelierError(
      'BUILD_FAILED',
      'The build left a file whose name is not UTF-8, or whose path is longer than 4096 bytes.',
      { cause: thrown },
    )
  }
}

async function sealAll(root: string, bytesMax: number, signal: AbortSignal): Promise<Sealed> {
  const hash = createHash('sha256').update('atelier tree 1\n')
  const owner = process.geteuid?.() === 0 ? { uid: 0, gid: 0 } : undefined
  let bytes = 0
  let files = 0
  const visit = async (folder: string): Promise<void> => {
    if (owner) await lchown(folder, owner.uid, owner.gid)
    await chmod(folder, 0o755)
    for (const name of (await readdir(folder)).sort()) {
      signal.throwIfAborted()
      const path = join(folder, name)
      const shown = JSON.stringify(relative(root, path))
      const found = await lstat(path)
      if (found.isDirectory()) {
        hash.update(`folder ${shown}\n`)
        await visit(path)
        continue
      }
      if (!found.isFile() && !found.isSymbolicLink()) {
        await unlink(path)
        continue
      }
      if (++files > FILES_MAX)
        throw new AtelierError('BUILD_FAILED', `The build left more than ${FILES_MAX} files.`)
      if (owner) await lchown(path, owner.uid, owner.gid)
      if (found.isSymbolicLink()) {
        await checkLink(root, path)
        hash.update(`link ${shown} ${JSON.stringify(await readlink(path))}\n`)
        continue
      }
      const executable = (found.mode & 0o111) !== 0
      await chmod(path, executable ? 0o555 : 0o444)
      // Holes take no disk, so they were never counted, but they take as long to read as anything else.
      bytes += found.size
      if (bytes > bytesMax)
        throw new AtelierError('BUILD_FAILED', `The build left files of more than ${showBytes(bytesMax)}.`)
      hash.update(`${executable ? 'program' : 'file'} ${shown} ${await digestOf(path, found.size)}\n`)
    }
  }
  await visit(root)
  return { digest: hash.digest('hex'), bytes, files }
}

/** Shows everything of the sealed folder `from` in the new folder `to` too, without a second copy of the contents. */
export async function linkTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  await mkdir(to)
  await chmod(to, 0o755)
  for (const found of await readdir(from, { withFileTypes: true })) {
    signal.throwIfAborted()
    const source = join(from, found.name)
    const target = join(to, found.name)
    if (found.isDirectory()) await linkTree(source, target, signal)
    else if (found.isSymbolicLink()) await symlink(await readlink(source), target)
    else await link(source, target)
  }
}

/** Opens a work folder to the sandbox's own user; its parent is closed to everybody else. */
export async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o777)
  for (const found of await readdir(folder, { withFileTypes: true }))
    if (found.isDirectory()) await openFolders(join(folder, found.name))
}

/**
 * Whether the folder `path` is there below `root`, where a tenant's process has worked. Rejects with BUILD_FAILED when it, or what leads to
 * it, is anything but a folder: a link would take whoever follows it out of `root`.
 */
export async function hasFolder(root: string, path: string): Promise<boolean> {
  const parts = path.split('/')
  for (let count = 1; count <= parts.length; count++) {
    const here = parts.slice(0, count).join('/')
    const found = await lstat(join(root, here)).catch(unlessMissing)
    if (found === undefined) return false
    if (!found.isDirectory())
      throw new AtelierError('BUILD_FAILED', `The build left ${here}, which is not a folder.`)
  }
  return true
}

/** Removes a folder whatever a tenant's process did to the modes and names in it. */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch {
    // Folders that may not be read, names that are no text, paths longer than the kernel takes: the system's own tools cope.
    await run('chmod', ['-R', 'u+rwX', '--', folder]).catch(() => {})
    await run('rm', ['-rf', '--', folder])
  }
}

/** Writes a whole tree out to the disk: one call for its file system, where one for each of 20,000 files takes minutes. */
export async function syncTree(folder: string): Promise<void> {
  await run('sync', ['--file-system', folder]).catch(() => run('sync', []))
}

function unlessMissing(thrown: unknown): undefined {
  if (!isMissing(thrown)) throw thrown
}

async function digestOf(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  // Most files of a set of dependencies are small, and a stream costs more than such a file.
  if (bytes <= WHOLE_BYTES_MAX) return hash.update(await readFile(path)).digest('hex')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}

/** Follows a link step by step, as the kernel would, and refuses the step that leaves `root`. */
async function checkLink(root: string, path: string): Promise<void> {
  const shown = JSON.stringify(relative(root, path))
  const out = () =>
    new AtelierError('BUILD_FAILED', `The build left the link ${shown}, which leads out of the package.`)
  const at = relative(root, path).split('/').slice(0, -1)
  const pending = (await readlink(path)).split('/')
  if (pending[0] === '') throw out()
  for (let hops = 0; pending.length > 0; ) {
    const part = pending.shift()!
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (at.pop() === undefined) throw out()
      continue
    }
    at.push(part)
    const here = await lstat(join(root, ...at)).catch(() => undefined)
    if (here?.isSymbolicLink() !== true) continue
    if (++hops > LINK_HOPS_MAX) return // A circle: opening it fails, which harms nobody.
    const target = (await readlink(join(root, ...at))).split('/')
    if (target[0] === '') throw out()
    at.pop()
    pending.unshift(...target)
  }
}
