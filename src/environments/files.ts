import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const REVISION_CHARACTERS = 16

/** A short digest over a runtime's version and every file of a shim: what "the same environment" means. */
export function revisionOf(runtimeVersion: string, folder: string): string {
  const hash = createHash('sha256').update(runtimeVersion)
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    // Folders have no text, `.ts` runs in the server, and what interpreters compile is made of the rest.
    if (/\.\w+$/.test(name) && !/\.(ts|pyc)$/.test(name))
      hash.update(`\n${name}\n`).update(readFileSync(join(folder, name)))
  }
  return hash.digest('hex').slice(0, REVISION_CHARACTERS)
}

/** The first of `names` that lies at the package's root. */
export function firstOf(files: readonly string[], names: readonly string[]): string | undefined {
  return names.find(name => files.includes(name))
}

/** The one file at the package's root with one of these extensions, when there is exactly one. */
export function onlyFileWith(files: readonly string[], extensions: readonly string[]): string | undefined {
  const found = files.filter(file => !file.includes('/') && extensions.some(each => file.endsWith(each)))
  return found.length === 1 ? found[0] : undefined
}
