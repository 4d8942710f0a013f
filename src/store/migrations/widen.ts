import { sql, type Transaction } from 'kysely'
import type { SqlDialect } from '../sql-dialect.ts'

/** A `varchar` column that cannot be null, and what it shall hold from now on. */
export interface Wider {
  readonly table: string
  readonly column: string
  readonly characters: number
}

/** A foreign key that one of the columns is part of. */
export interface Reference {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly to: string
  readonly isCascading: boolean
}

/** Makes columns wider, also those that foreign keys hold: all of these must be named. SQLite's columns have no width. */
export async function widen<T>(
  tx: Transaction<T>,
  dialect: SqlDialect,
  columns: readonly Wider[],
  references: readonly Reference[] = [],
): Promise<void> {
  if (dialect === 'sqlite') return
  if (dialect === 'postgres') {
    for (const { table, column, characters } of columns)
      await sql`alter table ${sql.table(table)} alter column ${sql.ref(column)} type ${varchar(characters)}`.execute(
        tx,
      )
    return
  }
  // MySQL changes no column that a key holds. Its changes of tables are not undone: each step may have been taken before.
  for (const reference of references) if (await isThere(tx, reference)) await drop(tx, reference)
  for (const { table, column, characters } of columns)
    await sql`alter table ${sql.table(table)} modify ${sql.ref(column)} ${varchar(characters)} not null`.execute(
      tx,
    )
  for (const { name, table, column, to, isCascading } of references)
    await tx.schema
      .alterTable(table)
      .addForeignKeyConstraint(name, [column], to, ['id'], key =>
        isCascading ? key.onDelete('cascade') : key,
      )
      .execute()
}

async function isThere<T>(tx: Transaction<T>, { name, table }: Reference): Promise<boolean> {
  const { rows } = await sql`select 1 from information_schema.table_constraints
    where constraint_schema = database() and table_name = ${table} and constraint_name = ${name}`.execute(tx)
  return rows.length > 0
}

async function drop<T>(tx: Transaction<T>, { name, table }: Reference): Promise<void> {
  await sql`alter table ${sql.table(table)} drop foreign key ${sql.ref(name)}`.execute(tx)
}

function varchar(characters: number) {
  return sql.raw(`varchar(${characters})`)
}
