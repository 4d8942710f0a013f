import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Their tests load the same large part of the server, which takes longer than the tests do. */
const TOGETHER = ['test/api', 'test/control', 'test/dialects/qinling', 'test/router']

/**
 * `files` (paths from `root`), but those that lie in one folder of these as one: a module below `folder` that imports them, so that
 * they share a process. What they have in common then is what they have loaded, and no more: each opens and closes its own.
 */
export function inGroups(files: readonly string[], root: string, folder: string): string[] {
  const groups = Map.groupBy(files, file => TOGETHER.find(each => each === dirname(file)) ?? file)
  return [...groups].map(([name, members]) => {
    if (members.length === 1) return members[0]!
    const path = join(folder, `${name}.mjs`)
    const lines = members.map(file => `import ${JSON.stringify(pathToFileURL(join(root, file)).href)}\n`)
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), lines.join(''))
    return path
  })
}
