export type { EventTables } from './event-tables.ts'
export * from './restore.ts'
export { isServerUri } from './server/uri.ts'
export type { SqlDialect } from './sql-dialect.ts'
export { backupSqlite as backupStore } from './sqlite/backup.ts'
export { lockFile } from './sqlite/lock.ts'
export * from './status.ts'
export {
  type EventStore,
  openEventStore,
  openStore,
  type Store,
  type StoreOptions,
  type TransactionOptions,
} from './store.ts'
export type { Tables } from './tables.ts'
