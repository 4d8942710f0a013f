import { createHash } from 'node:crypto'
import { isName } from '../../core/index.ts'

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/
const APP_PREFIX = 'app.'
const SLUG_CHARACTERS_MAX = 40

/** Our name of an app of IronFunctions, where a name may begin with `-` or `_`; no two share one. */
export function appNameOf(name: string): string {
  return isName(name) ? name : APP_PREFIX + name
}

/** The app of IronFunctions that an app of ours stands for: no name there has a dot. */
export function engineAppOf(name: string): string {
  return name.startsWith(APP_PREFIX) ? name.slice(APP_PREFIX.length) : name
}

/** Our name of the function behind a route: `/hello` is `hello`; another path has its digest in it, so that no two share one. */
export function functionNameOf(path: string): string {
  const plain = path.slice(1)
  if (path.startsWith('/') && PLAIN.test(plain)) return plain
  const slug = plain.replaceAll(/[^A-Za-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16)
  return `${slug.slice(0, SLUG_CHARACTERS_MAX) || 'route'}.${digest}`
}

/** Paths in addresses are cleaned: `//`, `.` and a slash at the end go. */
export function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `/${parts.join('/')}`
}
