import { execFileSync } from 'node:child_process'

export interface OtherUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Whom a database server runs as: none of them runs as root. `undefined` when this is not root. */
export function otherUser(name: string): OtherUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { name, uid: id('-u'), gid: id('-g') }
}
