import type { Daemon } from '../brokers/daemon.ts'

/** A database server of a test. */
export interface Database {
  readonly daemon: Daemon
  /** Makes an empty database; resolves with its URI. */
  create(): Promise<string>
  /** Runs SQL in a database, as the server's administrator; resolves with what it printed. */
  ask(database: string, text: string): Promise<string>
}
