import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AtelierError } from '../core/index.ts'
import { EVENT_LAYOUT } from './migrations/events/index.ts'
import { CONTROL_LAYOUT } from './migrations/index.ts'
import { lockFile } from './sqlite/lock.ts'

/**
 * Puts the backup `source` in the place of the store `target`, which is of this kind; what was there is kept beside it as `<target>.replaced`.
 * Rejects with UNAVAILABLE while a server runs on it, and with INVALID_INPUT when the backup is damaged, not ours, or
 * from a newer Atelier: the store is then untouched.
 */
export async function restoreStore(
  source: string,
  target: string,
  kind: StoreKind = 'control',
): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  const unlock = lockFile(target)
  const incoming = `${target}.incoming`
  try {
    checkBackup(source, kind)
    await copyFile(source, incoming)
    checkBackup(incoming, kind)
    await flush(incoming)
    await settle(target)
    await rm(`${target}.replaced`, { force: true })
    // A second name for the old file, not a move: a crash here must not leave a place where a new store would be made.
    await link(target, `${target}.replaced`).catch(ignoreMissing)
    await rename(incoming, target)
    await flush(dirname(target))
  } finally {
    await rm(incoming, { force: true })
    unlock()
  }
}

/** Throws UNAVAILABLE while a server runs on the store `target`. */
export function checkUnused(target: string): void {
  if (existsSync(target)) lockFile(target)()
}

/** Puts the store `target` aside as `<target>.replaced`, if there is one. UNAVAILABLE while a server runs on it. */
export async function removeStore(target: string): Promise<void> {
  if (!existsSync(target)) return
  const unlock = lockFile(target)
  try {
    await settle(target)
    await rename(target, `${target}.replaced`)
    await flush(dirname(target))
  } finally {
    unlock()
  }
}

/** Which of the two databases. */
export type StoreKind = 'control' | 'events'

/** Throws INVALID_INPUT unless `path` is a whole database of ours, of this kind, that this Atelier understands. */
export function checkBackup(path: string, kind: StoreKind): void {
  const { notes, steps } = kind === 'events' ? EVENT_LAYOUT : CONTROL_LAYOUT
  let problem: string
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const check = database.prepare('pragma integrity_check').all()
      const newest = database.prepare(`select max(number) as number from ${notes}`).get()?.['number']
      if (check.length !== 1 || check[0]?.['integrity_check'] !== 'ok') problem = 'is damaged'
      else if (typeof newest !== 'number') problem = 'is empty'
      else if (newest > steps.length) problem = 'was made by a newer Atelier: restore it with that one'
      else return
    } finally {
      database.close()
    }
  } catch (cause) {
    throw new AtelierError('INVALID_INPUT', `${path} is not a backup of an Atelier store.`, { cause })
  }
  throw new AtelierError('INVALID_INPUT', `The backup ${path} ${problem}.`)
}

// A log left by a crash belongs to the old file: opening and closing that writes it home. Were it left, it would be
// played into the new one.
async function settle(target: string): Promise<void> {
  if (!existsSync(target)) return
  try {
    const database = new DatabaseSync(target)
    try {
      database.exec('pragma wal_checkpoint(truncate); pragma journal_mode = delete')
    } finally {
      database.close()
    }
  } catch {
    // Damaged: this is what the restore is for. Its log goes aside with it.
    for (const suffix of ['-wal', '-shm'])
      await rename(`${target}${suffix}`, `${target}.replaced${suffix}`).catch(ignoreMissing)
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r')
  await file.sync().finally(() => file.close())
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}
