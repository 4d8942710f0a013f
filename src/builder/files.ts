import { open, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AtelierError } from '../core/index.ts'

/** Makes what was created or renamed in `folder` survive a loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a small file whole or not at all; durable when this resolves. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`
  await writeFile(temporary, text, { flush: true, mode: 0o600 })
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** The error as STORAGE_FULL when the disk had no room, else as it is. */
export function asStorageError(thrown: unknown, doing: string): unknown {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return thrown
  return new AtelierError(
    'STORAGE_FULL',
    `There is no space left on the server's disk for ${doing}. Free some and try again.`,
    {
      cause: thrown,
    },
  )
}

/** Whether the error says that a file or folder is not there. */
export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
