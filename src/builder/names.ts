import { AtelierError } from '../core/index.ts'
import type { PackageLimits } from './limits.ts'

/** PACKAGE_INVALID about one entry of the package. */
export function invalidEntry(name: string, problem: string): AtelierError {
  return new AtelierError('PACKAGE_INVALID', `The entry ${shown(name)} of the package ${problem}.`)
}

/** PACKAGE_INVALID about the package as a whole. */
export function invalidPackage(problem: string, cause?: unknown): AtelierError {
  return new AtelierError('PACKAGE_INVALID', `The package ${problem}.`, cause === undefined ? {} : { cause })
}

/**
 * The name of an archive's entry as a clean relative path (`./a//b/` becomes `a/b`), '' for the root itself. What could
 * mean a place outside, or mean different places to different programs, is refused with PACKAGE_INVALID.
 */
export function cleanPath(name: string, limits: PackageLimits): string {
  if (name.includes('\0')) throw invalidEntry(name, 'has a NUL byte in its name')
  // oxlint-disable-next-line no-control-regex
  if (/[\u0001-\u001f\u007f]/.test(name)) throw invalidEntry(name, 'has a control character in its name')
  if (name.includes('\\'))
    throw invalidEntry(name, 'has a backslash in its name; archives separate folders with "/"')
  if (name.startsWith('/'))
    throw invalidEntry(name, 'has an absolute path; paths are relative to the package')
  if (/^[a-zA-Z]:/.test(name))
    throw invalidEntry(name, 'begins with a drive name; paths are relative to the package')
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw invalidEntry(name, 'leads out of the package with ".."')
  const path = parts.join('/')
  if (Buffer.byteLength(path) > limits.pathBytesMax)
    throw invalidEntry(name, `has a path of more than ${limits.pathBytesMax} bytes`)
  if (parts.length - 1 > limits.depthMax)
    throw invalidEntry(name, `lies deeper than ${limits.depthMax} folders`)
  if (parts.some(part => Buffer.byteLength(part) > limits.nameBytesMax))
    throw invalidEntry(name, `has a name of more than ${limits.nameBytesMax} bytes`)
  return path
}

/** Bytes of a name as text; a name that is not UTF-8 is refused, since nobody could say which file it means. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw invalidEntry(Buffer.from(bytes).toString('latin1'), 'has a name that is not UTF-8')
  }
}

/** What systems leave in archives and no function reads: resource forks and folder settings of macOS. */
export function isJunk(path: string): boolean {
  if (path === '__MACOSX' || path.startsWith('__MACOSX/')) return true
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name === '.DS_Store' || name.startsWith('._')
}

function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name)
}
