import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The folder of the npm package on this machine: the one that started us, the one beside our Node, or the system's.
 * `undefined` when there is none.
 */
export function findNpm(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const started = env['npm_execpath']
  const candidates = [
    ...(started?.endsWith('npm-cli.js') ? [dirname(dirname(started))] : []),
    join(dirname(realpathSync(process.execPath)), '../lib/node_modules/npm'),
    '/usr/lib/node_modules/npm',
    '/usr/local/lib/node_modules/npm',
    '/usr/share/nodejs/npm',
  ]
  const found = candidates.find(folder => existsSync(join(folder, 'bin/npm-cli.js')))
  return found === undefined ? undefined : realpathSync(found)
}
