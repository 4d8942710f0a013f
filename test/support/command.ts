import { join } from 'node:path'

/** The `atelier` command, to be started with `process.execPath`. */
export const BIN = join(import.meta.dirname, '..', '..', 'bin', 'atelier.js')

/**
 * What a command that a test starts knows of this process: where programs are, and the folder of the code that test
 * processes compile once for all. Nothing else of the user who runs the tests reaches it, and `own` comes last.
 */
export function bareEnvironment(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  return { PATH: PATH ?? '', ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }), ...own }
}

/** Where the shims are that servers of tests compile: Java's and C#'s take seconds, and are the same for all of them. */
const SHIMS = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'atelier', 'servers')

/** The environment of a server that a test starts; only a server keeps nothing of its own in the user's cache. */
export function serverEnvironment(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return bareEnvironment({ XDG_CACHE_HOME: SHIMS, ...own })
}
