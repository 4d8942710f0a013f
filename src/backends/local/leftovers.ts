import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, startTime } from './procfs.ts'

const GONE_TRIES_MAX = 200
const GONE_PAUSE_MS = 10

/** Notes on disk of which processes run, so that what a killed server left behind can be found and ended. */
export class Leftovers {
  readonly #directory: string

  constructor(runPath: string) {
    this.#directory = join(runPath, 'live')
    mkdirSync(this.#directory, { recursive: true })
    chmodSync(this.#directory, 0o700)
  }

  /** Notes the processes of sandbox `id`. A number alone may be somebody else's later, so its start goes with it. */
  note(id: string, pids: readonly number[]): void {
    const text = pids.map(pid => `${pid} ${startTime(pid) ?? '-'}\n`).join('')
    try {
      writeFileSync(join(this.#directory, id), text)
    } catch (error) {
      // A full disk must not stop functions: sandboxes die with their server, and groups are found without a note.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }

  forget(id: string): void {
    rmSync(join(this.#directory, id), { force: true })
  }

  list(): string[] {
    return readdirSync(this.#directory)
  }

  /** Kills what was noted for `id`, waits until it is gone, and forgets it. */
  async end(id: string): Promise<void> {
    for (const line of readFileSync(join(this.#directory, id), 'utf8').split('\n')) {
      const [pid, since] = line.split(' ')
      if (pid === undefined || since === undefined) continue
      for (let tries = 0; tries < GONE_TRIES_MAX; tries++) {
        if (!isAlive(Number(pid)) || startTime(Number(pid)) !== since) break
        try {
          process.kill(Number(pid), 'SIGKILL')
        } catch {
          break
        }
        await sleep(GONE_PAUSE_MS)
      }
    }
    this.forget(id)
  }
}
