import { CompiledQuery, type QueryResult, type Transaction } from 'kysely'
import type { EventTables, SqlDialect } from '../store/index.ts'

const SIZES = [256, 64, 16, 4, 1] as const // few different statements, each kept prepared

/** The statements of every call's way, as text: building them anew for each call would cost more than running them. */
export class RawSql {
  readonly #dialect: SqlDialect
  readonly #texts = new Map<string, string>()

  constructor(dialect: SqlDialect) {
    this.#dialect = dialect
  }

  /** `text` has a `?` for each value. */
  run<R = unknown>(
    tx: Transaction<EventTables>,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<R>> {
    return tx.executeQuery<R>(CompiledQuery.raw(this.#ours(text), values as unknown[]))
  }

  /** Resolves with how many rows it changed. */
  async change(tx: Transaction<EventTables>, text: string, values: readonly unknown[]): Promise<number> {
    return Number((await this.run(tx, text, values)).numAffectedRows ?? 0n)
  }

  /** Inserts `rows`, each a value for each column. */
  async insert(
    tx: Transaction<EventTables>,
    table: keyof EventTables,
    columns: readonly string[],
    rows: readonly (readonly unknown[])[],
  ): Promise<void> {
    const row = `(${columns.map(() => '?').join()})`
    await Promise.all(
      inSizes(rows).map(part =>
        this.run(
          tx,
          `insert into ${table} (${columns.join()}) values ${part.map(() => row).join()}`,
          part.flat(),
        ),
      ),
    )
  }

  /** Runs `text`, whose `[ids]` stands for a list of them after the other values, and gathers rows and counts. */
  async forIds<R>(
    tx: Transaction<EventTables>,
    text: string,
    values: readonly unknown[],
    ids: readonly string[],
  ): Promise<{ readonly rows: readonly R[]; readonly changed: number }> {
    if (ids.length === 0) return { rows: [], changed: 0 }
    if (this.#dialect === 'sqlite') {
      // As one value, however many they are: each value of its own costs as much on its way to the thread as its row does.
      const whole = text.replace('[ids]', '(select value from json_each(?))')
      const { rows, numAffectedRows } = await this.run<R>(tx, whole, [...values, JSON.stringify(ids)])
      return { rows, changed: Number(numAffectedRows ?? 0n) }
    }
    const results = await Promise.all(
      inSizes(ids).map(part =>
        this.run<R>(tx, text.replace('[ids]', `(${part.map(() => '?').join()})`), [...values, ...part]),
      ),
    )
    return {
      rows: results.flatMap(({ rows }) => rows),
      changed: results.reduce((sum, { numAffectedRows }) => sum + Number(numAffectedRows ?? 0n), 0),
    }
  }

  #ours(text: string): string {
    if (this.#dialect !== 'postgres') return text
    let ours = this.#texts.get(text)
    if (ours === undefined) {
      let number = 0
      this.#texts.set(text, (ours = text.replaceAll('?', () => `$${++number}`)))
    }
    return ours
  }
}

function inSizes<T>(all: readonly T[]): T[][] {
  const parts: T[][] = []
  for (let at = 0; at < all.length; ) {
    const size = SIZES.find(each => each <= all.length - at)!
    parts.push(all.slice(at, (at += size)))
  }
  return parts
}
