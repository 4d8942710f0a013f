type Migrations = typeof import('./migrations.ts')

export type { TablesStatus } from './migrations.ts'
export type { ServerOption } from './option.ts'
export { serverOptions } from './options.ts'
export { readProcessFile } from './process-file.ts'

/** See `migrations.ts`; loaded when it is wanted, as the server is. */
export async function migrateTables(...[sources]: Parameters<Migrations['migrateTables']>) {
  return (await import('./migrations.ts')).migrateTables(sources)
}

/** See `migrations.ts`. */
export async function tablesStatus(...[sources]: Parameters<Migrations['tablesStatus']>) {
  return (await import('./migrations.ts')).tablesStatus(sources)
}

/**
 * Runs a server until a signal ends it; resolves with the exit code. The server's parts are loaded only now, so that a command
 * which wants the list of settings does not pay for them.
 */
export async function runServer(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  file: string | undefined,
): Promise<number> {
  const run = await import('./run.ts')
  return run.runServer(flags, file)
}
