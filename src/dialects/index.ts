export type { Dialect, DialectParts } from './dialect.ts'
export { dialectLoaders } from './loaders.ts'
export { createDialectServer, type DialectServer } from './server.ts'
