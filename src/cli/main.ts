import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// Half of a short command's time is compiling it. The cache lies in the user's own folder: the default, a shared
// temporary folder, is a place where somebody else could prepare something.
enableCompileCache(join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'atelier', 'compile'))

const { run } = await import('./run.ts')
process.exitCode = await run(process.argv.slice(2))
