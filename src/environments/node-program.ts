import { realpathSync } from 'node:fs'

/** Where sandboxes see the Node that runs the server, for build steps in any language. */
export const NODE_TARGET = '/opt/atelier/node'

export function nodeMount(): { source: string; target: string } {
  return { source: realpathSync(process.execPath), target: NODE_TARGET }
}
