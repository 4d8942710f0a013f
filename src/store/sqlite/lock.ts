import { closeSync, openSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AtelierError } from '../../core/index.ts'
import { asStoreError, sqliteCode } from './errors.ts'

const BUSY = 5
const PID_OFFSET = 60 // where a database file keeps its `user_version`, see sqlite.org/fileformat2.html

/**
 * Takes a database file for this process alone; the returned function gives it back. The lock is one of the kernel's,
 * held on a small database `<path>.lock`: it goes with the process that holds it, however that ends, so there is no
 * stale one. The holder's pid is in that file for the message: UNAVAILABLE.
 */
export function lockFile(path: string): () => void {
  const lockPath = `${resolve(path)}.lock`
  // The kernel's file locks are per process, and closing any descriptor of the file gives them back: look here first.
  if (heldHere.has(lockPath)) throw inUse(path, process.pid)
  const database = new DatabaseSync(lockPath)
  try {
    // In this locking mode the first write takes the lock, and it stays until the connection is closed. With its journal
    // in memory the write needs no space once the file is there: a server must come up on a full disk too.
    database.exec('pragma busy_timeout = 0; pragma journal_mode = memory; pragma locking_mode = exclusive')
    database.exec(`pragma user_version = ${process.pid}`)
  } catch (error) {
    database.close()
    if (((sqliteCode(error) ?? 0) & 0xff) === BUSY) throw inUse(path, holderOf(lockPath), error)
    throw asStoreError(error)
  }
  heldHere.add(lockPath)
  return () => {
    if (heldHere.delete(lockPath)) database.close()
  }
}

const heldHere = new Set<string>()

function inUse(path: string, pid: number | undefined, cause?: unknown): AtelierError {
  const holder = pid === undefined ? 'another process' : `the process with pid ${pid}`
  return new AtelierError(
    'UNAVAILABLE',
    `The store ${path} is in use by ${holder}. Stop that one first, or give this one a data directory of its own.`,
    { cause },
  )
}

function holderOf(lockPath: string): number | undefined {
  const bytes = Buffer.alloc(4)
  const file = openSync(lockPath, 'r')
  try {
    if (readSync(file, bytes, 0, 4, PID_OFFSET) < 4) return undefined
  } finally {
    closeSync(file)
  }
  return bytes.readUInt32BE(0) || undefined
}
