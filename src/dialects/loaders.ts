import type { Dialect } from './dialect.ts'

/** Every dialect by name; its code is loaded when it is asked for. */
export const dialectLoaders: ReadonlyMap<string, () => Promise<Dialect>> = new Map()
