import type { Dialect } from 'kysely'

/** One connection to a database server. */
export interface Wire {
  /** Rejects with what the driver threw. `values`: strings, numbers, bytes, null. */
  query(text: string, values?: readonly unknown[]): Promise<WireResult>
  /** Gives it back to the pool, or ends it when `isBroken`. */
  release(isBroken: boolean): void
}

export interface WireResult {
  readonly rows: readonly unknown[]
  /** Rows that a change met; `undefined` for what returns rows. */
  readonly changed: number | undefined
}

/** What an error of a database means for us. */
export type Trouble =
  /** A fault of the statement, or unknown: as the driver said it. */
  | 'other'
  | 'duplicate'
  /** The server gave this transaction up for the sake of another: the same again may work. */
  | 'retry'
  | 'full'
  /** The connection is gone, or the server is. */
  | 'lost'
  /** It answers, and can take no (more) connections or changes now. */
  | 'unavailable'
  /** Address, user or password are wrong. */
  | 'refused'
  /** It does not speak TLS as its URI asks, or shows a certificate that is not trusted. */
  | 'untrusted'
  /** Text that the database cannot hold: too long, or with a NUL character. */
  | 'unfit'

/** A kind of database server, by what it does differently. */
export interface Engine {
  readonly name: 'mysql' | 'postgres'
  /** For messages: host, port and database; never a password. */
  readonly place: string
  /** Compiler, adapter and introspector. */
  readonly parts: Pick<Dialect, 'createAdapter' | 'createIntrospector' | 'createQueryCompiler'>
  connect(): Promise<Wire>
  close(): Promise<void>
  trouble(thrown: unknown): Trouble
  /** Begins a transaction that runs after all others with the same `turn`, on all nodes; without one, beside them. */
  begin(wire: Wire, turn: string | undefined, relaxed: boolean): Promise<void>
  /** Takes the lock under which tables are made and changed, waiting for it at most `waitS` seconds; it goes with the connection. */
  lock(wire: Wire, waitS: number): Promise<boolean>
  unlock(wire: Wire): Promise<void>
  /** Whether a statement of a step failed since an earlier attempt at the step had done it already. */
  isDoneAlready(thrown: unknown): boolean
}
