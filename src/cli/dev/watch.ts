import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { IGNORED_BY_DEFAULT, type IgnoreRules, ignoreRules } from '../deploy/ignore.ts'

const QUIET_MS = 20 // an editor writes a file in several steps
const FOLDERS_MAX = 2_000 // each costs a watch of the kernel
const ALWAYS_WATCHED = ['.env', 'atelier.json', 'atelier.yaml', 'atelier.yml']

/**
 * Tells of changes to the files of a folder that would be deployed, once for each burst, with the first path. One watch for
 * each folder: what is ignored (node_modules) costs nothing. The returned function ends it.
 */
export async function watchFolder(root: string, onChange: (path: string) => void): Promise<() => void> {
  const own = await readFile(join(root, '.atelierignore'), 'utf8').catch(() => '')
  const rules = ignoreRules([...IGNORED_BY_DEFAULT, ...own.split(/\r?\n/)])
  const watchers = new Map<string, FSWatcher>()
  let closed = false
  let first: string | undefined
  let quiet: NodeJS.Timeout | undefined

  const changed = (path: string): void => {
    first ??= path
    clearTimeout(quiet)
    quiet = setTimeout(() => {
      const told = first!
      first = undefined
      onChange(told)
    }, QUIET_MS)
  }

  const open = async (folder: string): Promise<void> => {
    if (closed || watchers.has(folder) || watchers.size >= FOLDERS_MAX) return
    const absolute = join(root, folder)
    try {
      const watcher = watch(absolute, (_, name) => {
        const path = name === null ? folder : join(folder, name)
        if (isIgnored(rules, path)) return
        changed(path)
        void open(path) // perhaps a new folder; for a file this does nothing
      })
      const forget = (): void => {
        watchers.delete(folder)
        watcher.close()
      }
      watchers.set(folder, watcher)
      watcher.on('error', forget)
      const entries = await readdir(absolute, { withFileTypes: true })
      const folders = entries.filter(
        entry => entry.isDirectory() && !rules.ignores(join(folder, entry.name), true),
      )
      for (const entry of folders) await open(join(folder, entry.name))
    } catch {
      watchers.get(folder)?.close() // a file, or gone again already
      watchers.delete(folder)
    }
  }

  await open('')
  return () => {
    closed = true
    clearTimeout(quiet)
    for (const watcher of watchers.values()) watcher.close()
  }
}

function isIgnored(rules: IgnoreRules, path: string): boolean {
  return !ALWAYS_WATCHED.includes(path) && (rules.ignores(path, false) || rules.ignores(path, true))
}
