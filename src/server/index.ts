export { type ServerOption, serverOptions } from './options.ts'
export { readProcessFile } from './process-file.ts'

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
