export * from './restore.ts'
export * from './store.ts'
export type { Tables } from './tables.ts'
