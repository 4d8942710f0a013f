import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const GONE_MS_MAX = 60_000
const POLL_MS = 50

/** What a server on `home` has on the machine outside its files: each a list of what was found. */
interface Leftovers {
  readonly processes: readonly number[]
  readonly cgroups: readonly string[]
  readonly mounts: readonly string[]
  /** Notes of running sandboxes, sockets and folders below `run`. */
  readonly runEntries: readonly string[]
}

const KEPT_IN_RUN = new Set(['etc', 'live', 'seccomp.bpf'])
/** Empty folders over which sandboxes put their files together, unseen by the others. */
const MOUNTED_OVER = new Set(['gvisor', 'root'])

/** Finds what belongs to the server on `home` by its folder's path, and by the group that it names after that. */
export function leftoversOf(home: string): Leftovers {
  const runPath = join(home, 'run')
  const group = groupOf(home)
  const notes = existsSync(join(runPath, 'live')) ? readdirSync(join(runPath, 'live')) : []
  return {
    processes: processesThat((groups, command) => groups.includes(`/${group}/`) || command.includes(home)),
    cgroups: groupsBelow('/sys/fs/cgroup', group),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter(line => line.includes(`${home}/`)),
    runEntries: [...readdirSync(runPath).filter(name => !isKept(runPath, name)), ...notes],
  }
}

function isKept(runPath: string, name: string): boolean {
  return KEPT_IN_RUN.has(name) || (MOUNTED_OVER.has(name) && readdirSync(join(runPath, name)).length === 0)
}

/** Waits until a backend or a server that is closed has left nothing of sandboxes on `home`; fails, naming what is there. */
export async function nothingLeftAt(home: string): Promise<void> {
  const end = performance.now() + GONE_MS_MAX
  for (;;) {
    const left = leftoversOf(home)
    try {
      assert.deepEqual(left, { processes: [], cgroups: [], mounts: [], runEntries: [] })
      return
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(POLL_MS)
    }
  }
}

/** The processes in the sandbox of one instance. */
export function processesOfInstance(home: string, id: string): number[] {
  return processesThat(groups => groups.includes(`/${groupOf(home)}/${id}\n`))
}

/** The local backend names an installation's groups after its run folder. */
function groupOf(home: string): string {
  return createHash('sha256').update(join(home, 'run')).digest('hex').slice(0, 12)
}

function processesThat(belong: (groups: string, command: string) => boolean): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => {
      if (Number.isNaN(pid)) return false
      try {
        return belong(
          readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
          readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
        )
      } catch {
        return false // it ended meanwhile
      }
    })
}

function groupsBelow(root: string, group: string): string[] {
  const places = [root, ...childrenOf(root)].map(place => join(place, 'atelier', group))
  return places.flatMap(childrenOf)
}

function childrenOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(path, entry.name))
  } catch {
    return []
  }
}
