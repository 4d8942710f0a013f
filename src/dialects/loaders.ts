import type { Dialect } from './dialect.ts'

/** Every dialect by name; its code is loaded when it is asked for. */
export const dialectLoaders: ReadonlyMap<string, () => Promise<Dialect>> = new Map([
  ['fn', async () => (await import('./fn/dialect.ts')).fn],
  ['ironfunctions', async () => (await import('./ironfunctions/dialect.ts')).ironfunctions],
  ['picasso', async () => (await import('./picasso/dialect.ts')).picasso],
  ['qinling', async () => (await import('./qinling/dialect.ts')).qinling],
])
