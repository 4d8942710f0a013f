import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'

const ROOT = '/sys/fs/cgroup'
const DEPTH_MAX = 32

/** The control groups of a process, of whichever version they are; each by a folder. */
export class Groups {
  readonly #byController: ReadonlyMap<string, string>

  /** Of process `pid`, as it is now; of none when it has ended. */
  constructor(pid: number | undefined) {
    const lines = pid === undefined ? [] : (readText(`/proc/${pid}/cgroup`) ?? '').trim().split('\n')
    this.#byController = new Map(
      lines.flatMap(line => {
        const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
        return names.split(',').map((name): [string, string] => [name, path])
      }),
    )
  }

  /** Of version 1. */
  of(controller: string): string | undefined {
    const path = this.#byController.get(controller)
    return path === undefined || controller === '' ? undefined : `${ROOT}/${controller}${path}`
  }

  /** Of version 2. */
  get unified(): string | undefined {
    const path = this.#byController.get('')
    return path === undefined ? undefined : `${ROOT}${path}`
  }
}

/** The least that `read` finds in the folder and in those above, which bound it as well; `undefined`: nothing bounds it. */
export function leastAbove(folder: string, read: (folder: string) => number | undefined): number | undefined {
  let least: number | undefined
  for (let at = folder, i = 0; at.startsWith(ROOT) && i < DEPTH_MAX; at = dirname(at), i++) {
    const value = read(at)
    if (value !== undefined) least = Math.min(value, least ?? value)
  }
  return least
}

/** `undefined` for a file that is gone, or not there on this machine. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
