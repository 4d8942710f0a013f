import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Kysely, sql } from 'kysely'
import { AtelierError } from '../core/index.ts'
import { EVENT_LAYOUT } from './migrations/events/index.ts'
import { CONTROL_LAYOUT } from './migrations/index.ts'
import type { StoreKind } from './restore.ts'
import { serverDialect } from './server/driver.ts'
import { asServerError } from './server/errors.ts'
import { placeOf, readAddress } from './server/uri.ts'
import { engineOf, sqlitePath } from './store.ts'

/** How the tables of a store stand to this Atelier. */
export interface StoreStatus {
  /** For people; never with a password. */
  readonly place: string
  /** Steps that were taken; 0 where there are no tables yet. */
  readonly taken: number
  /** Steps that this Atelier knows. */
  readonly known: number
  /** Names of those to take. */
  readonly pending: readonly string[]
}

/** Looks and changes nothing, also while servers run. UNAVAILABLE and INVALID_INPUT as `openStore`. */
export async function storeStatus(url: string, kind: StoreKind): Promise<StoreStatus> {
  const { notes, steps } = kind === 'events' ? EVENT_LAYOUT : CONTROL_LAYOUT
  const address = readAddress(url)
  const place = address ? placeOf(address) : sqlitePath(url)
  let taken: number
  if (address) {
    const engine = await engineOf(address)
    try {
      const db = new Kysely<NotesTables>({ dialect: serverDialect(engine) })
      const tables = await db.introspection.getTables()
      taken = tables.some(({ name }) => name === notes) ? await newestOf(db, notes) : 0
    } catch (error) {
      throw asServerError(engine, error)
    } finally {
      await engine.close().catch(() => {})
    }
  } else taken = existsSync(place) ? newestIn(place, notes) : 0
  return { place, taken, known: steps.length, pending: steps.slice(taken).map(({ name }) => name) }
}

type NotesTables = Record<'migrations' | 'event_migrations', { number: number }>

async function newestOf(db: Kysely<NotesTables>, notes: keyof NotesTables): Promise<number> {
  const row = await db
    .selectFrom(notes)
    .select(sql<number | null>`max(number)`.as('number'))
    .executeTakeFirst()
  return row?.number ?? 0
}

function newestIn(path: string, notes: string): number {
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      return Number(database.prepare(`select max(number) as number from ${notes}`).get()?.['number'] ?? 0)
    } finally {
      database.close()
    }
  } catch (cause) {
    throw new AtelierError('INVALID_INPUT', `${path} is not a database of Atelier.`, { cause })
  }
}
