import { existsSync, readFileSync, realpathSync } from 'node:fs'
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

const SETTING_OF_GYP = 'npm_package_config_node_gyp_nodedir'

/**
 * The variable that tells the node-gyp in that npm where Node's headers are. Newer ones have a name of their own for it, and
 * their npm warns of the older one in every build.
 */
export function headersVariable(npm: string): string {
  try {
    const program = readFileSync(join(npm, 'node_modules/node-gyp/lib/node-gyp.js'), 'utf8')
    if (program.includes('npm_package_config_node_gyp_')) return SETTING_OF_GYP
  } catch {
    // A distribution may keep its node-gyp elsewhere.
  }
  return 'npm_config_nodedir'
}
