export * from './restore.ts'
export { backupSqlite as backupStore } from './sqlite/backup.ts'
export * from './store.ts'
export type { Tables } from './tables.ts'
