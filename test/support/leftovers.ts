import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a server on `home` has on the machine outside its files: each a list of what was found. */
interface Leftovers {
  readonly processes: readonly number[]
  readonly cgroups: readonly string[]
  readonly mounts: readonly string[]
  /** Notes of running sandboxes, sockets and folders below `run`. */
  readonly runEntries: readonly string[]
}

const KEPT_IN_RUN = new Set(['etc', 'live', 'seccomp.bpf'])

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
    runEntries: [...readdirSync(runPath).filter(name => !KEPT_IN_RUN.has(name)), ...notes],
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
