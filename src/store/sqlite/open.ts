import { AsyncLocalStorage } from 'node:async_hooks'
import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import { migrate } from '../migrations/migrate.ts'
import type { Layout } from '../migrations/migration.ts'
import { Mutex } from '../mutex.ts'
import type { Store, StoreOptions } from '../store.ts'
import { backupSqlite } from './backup.ts'
import { connect } from './connect.ts'
import { SqliteConnection } from './connection.ts'
import { plainDialect, transactionDialect } from './driver.ts'
import { asStoreError } from './errors.ts'
import { lockFile } from './lock.ts'

/** The store in one SQLite file; see `openStore`. */
export async function openSqlite<T>(
  path: string,
  options: StoreOptions,
  layout: Layout<T>,
): Promise<Store<T>> {
  makeFolder(path)
  const unlock = lockFile(path)
  const settings = { path, bytesMax: options.sizeBytesMax }
  const opened: SqliteConnection[] = []
  try {
    const writer = new SqliteConnection(connect(settings))
    opened.push(writer)
    const reader = new SqliteConnection(connect(settings))
    opened.push(reader)
    reader.exec('pragma query_only = on')
    chmodSync(path, 0o600)
    const mutex = new Mutex()
    const writing = new Kysely<T>({ dialect: transactionDialect(writer) })
    const db = new Kysely<T>({ dialect: plainDialect(reader, writer, mutex) })
    const nested = new AsyncLocalStorage<true>()

    const store: Store<T> = {
      db,
      dialect: 'sqlite',
      async transaction(work, { relaxed = false } = {}) {
        if (nested.getStore()) throw new Error('A transaction within a transaction would wait for itself')
        const release = await mutex.acquire()
        try {
          if (relaxed) writer.exec('pragma synchronous = normal')
          return await nested.run(true, () => writing.transaction().execute(work))
        } finally {
          if (relaxed) writer.exec('pragma synchronous = full')
          release()
        }
      },
      backup: target => backupSqlite(path, target),
      async close() {
        const release = await mutex.acquire()
        for (const connection of opened) connection.close()
        unlock()
        release()
      },
    }
    await migrate(store, layout)
    return store
  } catch (error) {
    for (const connection of opened) connection.close()
    unlock()
    throw notOurs(path, error)
  }
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new AtelierError('INVALID_INPUT', `The folder ${dirname(path)} for the store cannot be made.`, {
      cause,
    })
  }
}

export function notOurs(path: string, thrown: unknown): unknown {
  const error = asStoreError(thrown)
  if (error instanceof AtelierError && error.code !== 'INTERNAL') return error
  return new AtelierError('INVALID_INPUT', `The store ${path} cannot be opened as an SQLite database.`, {
    cause: thrown,
  })
}
