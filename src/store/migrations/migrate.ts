import { type Kysely, sql } from 'kysely'
import { AtelierError } from '../../core/index.ts'
import type { Store } from '../store.ts'
import type { Layout } from './migration.ts'

type NotesTables = Record<Layout<unknown>['notes'], { number: number; name: string }>

/**
 * Brings the tables up to date, each step in a transaction with the note that it was taken. Throws INVALID_INPUT when
 * the store has steps that this Atelier does not know: an older one must not write to it.
 */
export async function migrate<T>(store: Store<T>, { notes, steps }: Layout<T>): Promise<void> {
  const db = store.db as unknown as Kysely<NotesTables>
  await store.transaction(tx =>
    tx.schema
      .createTable(notes)
      .ifNotExists()
      .addColumn('number', 'integer', column => column.primaryKey())
      .addColumn('name', 'varchar(100)', column => column.notNull())
      .execute(),
  )
  const newest = await db
    .selectFrom(notes)
    .select(sql<number | null>`max(number)`.as('number'))
    .executeTakeFirstOrThrow()
  const taken = newest.number ?? 0
  if (taken > steps.length)
    throw new AtelierError(
      'INVALID_INPUT',
      `The store has the layout ${taken} of a newer Atelier, and this one knows ${steps.length}. ` +
        'Start the newer one, or restore a backup that was made before the upgrade.',
    )
  for (const [index, migration] of steps.entries()) {
    const number = index + 1
    if (number <= taken) continue
    await store.transaction(async tx => {
      await migration.up(tx, store.dialect)
      const own = tx as unknown as Kysely<NotesTables>
      await own.insertInto(notes).values({ number, name: migration.name }).execute()
    })
  }
}
