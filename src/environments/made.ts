import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

const KEY_CHARACTERS = 16

/**
 * A folder that is made from a shim's sources once and kept in the user's cache: compiled for the runtime that is here.
 * `key`: everything that decides what is made. `make` fills an empty folder; what it rejects with is passed on.
 */
export async function madeOnce(
  name: string,
  key: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const parent = await ownFolder()
  const folder = join(parent, `${name}-${key}`)
  if (existsSync(folder)) return folder
  const temporary = await mkdtemp(join(parent, `.${name}-`))
  try {
    await make(temporary)
    await chmod(temporary, 0o755) // sandboxes have users of their own
    // Where another process was quicker, its folder is as good.
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return folder
}

/** A digest over texts and every file below a folder: a key for `madeOnce`. */
export async function keyOfFiles(folder: string, ...texts: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(texts))
  for (const entry of (await readdir(folder, { recursive: true, withFileTypes: true })).sort(byPath)) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    hash.update(`\n${path.slice(folder.length)}\n`).update(await readFile(path))
  }
  return hash.digest('hex').slice(0, KEY_CHARACTERS)
}

function byPath(a: { parentPath: string; name: string }, b: { parentPath: string; name: string }): number {
  return join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1
}

/** What is in it runs in every sandbox: so nobody else may write there. */
async function ownFolder(): Promise<string> {
  const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'atelier', 'shims')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = await lstat(folder)
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
    throw new Error(`${folder} belongs to somebody else, or others may write to it`)
  return folder
}
