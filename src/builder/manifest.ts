import { createHash } from 'node:crypto'
import { invalidEntry, invalidPackage, isJunk } from './names.ts'

/** One file or link of a package. */
export interface PackageEntry {
  readonly path: string
  readonly kind: 'file' | 'link'
  readonly executable: boolean
  readonly size: number
  /** Of the contents; of the target for a link. Hexadecimal. */
  readonly sha256: string
  /** Where the contents begin: in the spool while receiving, in `content.tar` once stored. */
  readonly offset: number
  /** For a link: where it points, relative to its own folder. */
  readonly target?: string
}

/** Everything known about a stored package. Entries are sorted by path. */
export interface Manifest {
  readonly digest: string
  readonly sizeBytes: number
  readonly fileName: string
  readonly entries: readonly PackageEntry[]
}

/** A folder with one of these in it is the root of a package. */
const ROOT_MARKS = [
  'atelier.json',
  'atelier.yaml',
  'atelier.yml',
  'package.json',
  'requirements.txt',
  'pyproject.toml',
]

const LINK_HOPS_MAX = 40

/**
 * The manifest of what an archive held, in canonical form: junk dropped, one wrapping folder taken away, sorted, checked.
 * PACKAGE_INVALID names the entry that is twice, is a file and a folder, lies beneath a link or points outside.
 */
export function makeManifest(found: readonly PackageEntry[], fileName: string): Manifest {
  const entries = unwrap(found.filter(entry => !isJunk(entry.path))).sort(byPath)
  if (entries.length === 0) throw invalidPackage('is empty: it holds no file')
  const index = new Map<string, PackageEntry>()
  for (const entry of entries) {
    if (index.has(entry.path)) throw invalidEntry(entry.path, 'is there twice')
    index.set(entry.path, entry)
  }
  for (const entry of entries) {
    for (let end = entry.path.indexOf('/'); end !== -1; end = entry.path.indexOf('/', end + 1)) {
      const above = index.get(entry.path.slice(0, end))
      if (above?.kind === 'link')
        throw invalidEntry(entry.path, `lies beneath the link ${JSON.stringify(above.path)}`)
      if (above) throw invalidEntry(entry.path, `lies beneath ${JSON.stringify(above.path)}, which is a file`)
    }
    if (entry.kind === 'link') checkLink(entry, index)
  }
  let sizeBytes = 0
  for (const entry of entries) sizeBytes += entry.size
  return { digest: digestOf(entries), sizeBytes, fileName, entries }
}

/**
 * `sha256:<hex>` over path, kind and contents of each entry in order: the same for zip, tar and folder. Paths hold no
 * control characters, so a line cannot be mistaken for two.
 */
function digestOf(entries: readonly PackageEntry[]): string {
  const hash = createHash('sha256').update('atelier package 1\n')
  for (const entry of entries) {
    const kind = entry.kind === 'link' ? 'link' : entry.executable ? 'program' : 'file'
    hash.update(`${kind} ${entry.size} ${entry.sha256} ${entry.path}\n`)
  }
  return `sha256:${hash.digest('hex')}`
}

/**
 * An archive made of a folder, not of its contents, wraps everything in that folder. It is taken away when it is the
 * only one at the top and holds what marks a package's root; `src/index.js` alone stays what it is.
 */
function unwrap(entries: readonly PackageEntry[]): PackageEntry[] {
  const slash = entries[0]?.path.indexOf('/') ?? -1
  if (slash === -1) return [...entries]
  const folder = entries[0]!.path.slice(0, slash + 1)
  if (!entries.every(entry => entry.path.startsWith(folder))) return [...entries]
  if (!entries.some(entry => ROOT_MARKS.includes(entry.path.slice(folder.length)))) return [...entries]
  return entries.map(entry => ({ ...entry, path: entry.path.slice(folder.length) }))
}

/** Walks where a link leads, through other links, the way the kernel would: at no step may it rise above the root. */
function checkLink(link: PackageEntry, index: ReadonlyMap<string, PackageEntry>): void {
  const target = link.target ?? ''
  if (target === '' || /[\\\0]/.test(target)) throw invalidEntry(link.path, 'is a link with an odd target')
  let pending = [...link.path.split('/').slice(0, -1), ...target.split('/')]
  if (target.startsWith('/'))
    throw invalidEntry(link.path, 'is a link to an absolute path; links stay inside the package')
  const at: string[] = []
  for (let hops = 0; pending.length > 0; ) {
    const part = pending.shift()!
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (at.pop() === undefined) throw invalidEntry(link.path, 'is a link that leads out of the package')
      continue
    }
    at.push(part)
    const next = index.get(at.join('/'))
    if (next?.kind !== 'link') continue
    if (++hops > LINK_HOPS_MAX) throw invalidEntry(link.path, 'is a link that leads in a circle')
    if (next.target!.startsWith('/'))
      throw invalidEntry(next.path, 'is a link to an absolute path; links stay inside the package')
    at.pop()
    pending = [...next.target!.split('/'), ...pending]
  }
}

function byPath(a: PackageEntry, b: PackageEntry): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0
}
