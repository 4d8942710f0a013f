import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Where sandboxes see the Node that runs the server, for build steps in any language. */
export const NODE_TARGET = '/opt/atelier/node'

export function nodeMount(): { source: string; target: string } {
  return { source: realpathSync(process.execPath), target: NODE_TARGET }
}

/** The headers of that Node, with which native modules are compiled; `undefined` where it came without them. */
export function nodeHeaders(): string | undefined {
  const folder = join(dirname(realpathSync(process.execPath)), '../include/node')
  return existsSync(join(folder, 'node_api.h')) ? folder : undefined
}
