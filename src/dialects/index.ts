export type { Dialect, DialectParts } from './dialect.ts'
export { dialectLoaders } from './loaders.ts'
export { createDialectServer } from './server.ts'
