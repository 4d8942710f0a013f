import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Keeps what is compiled for the next start: two thirds of a short command's time is reading its source, where types are taken away
 * and code is compiled. The cache lies in the user's own folder; the default, a shared temporary folder, is a place where
 * somebody else could prepare something.
 */
export function useCompileCache() {
  module.enableCompileCache(
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'atelier', 'compile'),
  )
}
