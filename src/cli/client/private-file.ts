import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CliFailure, EXIT } from '../failure.ts'

/** Files that hold a token or a password: only their owner may read them, and a crash leaves the old or the new one. */

/** The content, or `undefined` when there is none. */
export function readPrivateJson<T>(path: string): T | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined
    throw error
  }
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new CliFailure(EXIT.failed, `${path} is not valid JSON`, {
      hint: 'Remove it and log in again with "atelier login".',
      cause,
    })
  }
}

export function writePrivateJson(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(temporary, path)
}

export function removePrivateFile(path: string): void {
  rmSync(path, { force: true })
}

/** Whether anybody but the owner may read the file. `false` when there is none. */
export function isExposed(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && (stats.mode & 0o077) !== 0
}
