import { type Kysely, sql } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import type { Store } from '../store.ts'
import { MIGRATIONS } from './index.ts'

interface MigrationsTable {
  migrations: { number: number; name: string }
}

/**
 * Brings the tables up to date, each step in a transaction with the note that it was taken. Throws INVALID_INPUT when
 * the store has steps that this Atelier does not know: an older one must not write to it.
 */
export async function migrate(store: Store): Promise<void> {
  const db = store.db as unknown as Kysely<MigrationsTable>
  await store.transaction(tx =>
    tx.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('number', 'integer', column => column.primaryKey())
      .addColumn('name', 'varchar(100)', column => column.notNull())
      .execute(),
  )
  const newest = await db
    .selectFrom('migrations')
    .select(sql<number | null>`max(number)`.as('number'))
    .executeTakeFirstOrThrow()
  const taken = newest.number ?? 0
  if (taken > MIGRATIONS.length)
    throw new AtelierError(
      'INVALID_INPUT',
      `The store has the layout ${taken} of a newer Atelier, and this one knows ${MIGRATIONS.length}. ` +
        'Start the newer one, or restore a backup that was made before the upgrade.',
    )
  for (const [index, migration] of MIGRATIONS.entries()) {
    const number = index + 1
    if (number <= taken) continue
    await store.transaction(async tx => {
      await migration.up(tx)
      const own = tx as unknown as Kysely<MigrationsTable>
      await own.insertInto('migrations').values({ number, name: migration.name }).execute()
    })
  }
}
