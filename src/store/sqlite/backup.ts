import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { AtelierError } from '../../core/index.ts'
import { asStoreError } from './errors.ts'

// The copy is made by a thread with a connection of its own: it reads one moment of the database while others write,
// and nobody waits for it. The text is here, not in a file, so that a bundled server finds it.
const COPY = `
const { workerData } = require('node:worker_threads')
const { DatabaseSync } = require('node:sqlite')
const database = new DatabaseSync(workerData.source, { timeout: 5000 })
database.prepare('vacuum into ?').run(workerData.target)
database.close()
`

/**
 * Copies the database `source`, in use or not, to `target`, which appears complete and on the disk or not at all.
 * Rejects with INVALID_INPUT when `target` exists or `source` does not.
 */
export async function backupSqlite(source: string, target: string): Promise<void> {
  if (!existsSync(source)) throw new AtelierError('INVALID_INPUT', `There is no store at ${source}.`)
  if (existsSync(target))
    throw new AtelierError(
      'INVALID_INPUT',
      `${target} exists already: a backup does not overwrite; name another file.`,
    )
  const partial = `${target}.${process.pid}.partial`
  try {
    await (await open(partial, 'wx', 0o600)).close() // ours alone before there is anything in it
    await runWorker({ source, target: partial })
    await flush(partial)
    await rename(partial, target)
    await flush(dirname(target))
  } catch (error) {
    await rm(partial, { force: true })
    const known = asStoreError(error)
    if (known instanceof AtelierError) throw known
    throw new AtelierError(
      'INVALID_INPUT',
      `The backup ${target} cannot be written: check that its folder exists.`,
      { cause: error },
    )
  }
}

function runWorker(workerData: { source: string; target: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(COPY, { eval: true, workerData })
    worker.once('error', reject)
    worker.once('exit', code => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
  })
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r')
  await file.sync().finally(() => file.close())
}
