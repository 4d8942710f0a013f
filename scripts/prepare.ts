/**
 * `npm ci` ends with this (as npm's `prepare`): what a server and the commands read is read once, and the shims of compiled languages
 * are made, so that the first start finds all of it done. No server is started, and no install fails for it: without what is kept
 * here the first start only takes longer.
 */
import { useCompileCache } from '../bin/compile-cache.js'

useCompileCache()
try {
  const { environments } = await import('../src/environments/index.ts')
  const probes = Promise.all(environments.map(each => each.probe()))
  await import('../src/cli/run.ts')
  const { CATALOGUE } = await import('../src/cli/catalogue.ts')
  for (const entry of CATALOGUE) await entry.load()
  await import('../src/server/run.ts')
  await import('../src/store/sqlite/open.ts')
  await import('../src/store/sqlite/threaded.ts')
  await import('../src/store/migrations/index.ts')
  await import('../src/store/migrations/events/index.ts')
  await probes
} catch (error) {
  console.warn(`Nothing is done ahead: ${error instanceof Error ? error.message : String(error)}`)
}
