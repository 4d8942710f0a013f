import { accessSync, constants, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CgroupTree } from './cgroup.ts'
import { processesIn, readControl, tryControl } from './files.ts'
import { CgroupTreeV1 } from './v1.ts'
import { CgroupTreeV2 } from './v2.ts'

export type CgroupFinding =
  | { readonly tree: CgroupTree }
  | { readonly tree: undefined; readonly reason: string }

export interface Surroundings {
  readonly mountinfo: string
  /** /proc/self/cgroup. */
  readonly ownGroups: string
  readonly ownPid: number
}

/** The cgroup place that the installation `name` may use on this machine. Creates its folder. */
export function findCgroups(name: string, surroundings: Surroundings = realSurroundings()): CgroupFinding {
  const mounts = parseMounts(surroundings.mountinfo)
  return version1(name, mounts) ?? version2(name, mounts, surroundings)
}

function realSurroundings(): Surroundings {
  return {
    mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    ownGroups: readFileSync('/proc/self/cgroup', 'utf8'),
    ownPid: process.pid,
  }
}

interface CgroupMount {
  readonly point: string
  readonly type: 'cgroup' | 'cgroup2'
  readonly options: ReadonlySet<string>
}

function parseMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap(line => {
    const [before, after] = line.split(' - ')
    const [type, , options] = after?.split(' ') ?? []
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    return [{ point: before?.split(' ')[4] ?? '', type, options: new Set(options?.split(',')) }]
  })
}

/** Version 1 counts only with memory and pids: half of the limits there and half elsewhere helps nobody. */
function version1(name: string, mounts: readonly CgroupMount[]): CgroupFinding | undefined {
  const roots: Partial<Record<'memory' | 'pids' | 'cpu' | 'cpuacct', string>> = {}
  for (const controller of ['memory', 'pids', 'cpu', 'cpuacct'] as const) {
    const mount = mounts.find(mount => mount.type === 'cgroup' && mount.options.has(controller))
    if (mount === undefined) continue
    const root = join(mount.point, 'atelier', name)
    if (canMake(root)) roots[controller] = root
  }
  if (roots.memory === undefined || roots.pids === undefined) return undefined
  tryControl(`${roots.memory}/memory.use_hierarchy`, 1)
  return { tree: new CgroupTreeV1(roots) }
}

const WANTED = ['memory', 'pids', 'cpu'] as const

/**
 * Version 2 lets either processes or controlled groups be in a folder. A folder that holds this process alone (a service
 * with `Delegate=yes`) becomes ours by moving into a leaf of it; else root may take a folder at the top.
 */
function version2(name: string, mounts: readonly CgroupMount[], surroundings: Surroundings): CgroupFinding {
  const mount = mounts.find(mount => mount.type === 'cgroup2')
  if (mount === undefined) return { tree: undefined, reason: 'no cgroup file system is mounted' }
  const ownPath = /^0::(.*)$/m.exec(surroundings.ownGroups)?.[1] ?? '/'
  const own = join(mount.point, ownPath.startsWith('/..') ? '/' : ownPath)
  const alone = processesIn(own).every(pid => pid === surroundings.ownPid)
  const places = own !== mount.point && alone ? [own, mount.point] : [mount.point]
  for (const place of places) {
    if (!isWritable(`${place}/cgroup.subtree_control`)) continue
    if (place === own && !moveIntoLeaf(own, surroundings.ownPid)) continue
    const middle = join(place, 'atelier')
    const root = join(middle, name)
    enable(place)
    if (!canMake(root)) continue
    enable(middle)
    enable(root)
    const controllers = new Set(WANTED.filter(controller => enabledIn(root).has(controller)))
    if (controllers.has('memory') && controllers.has('pids'))
      return { tree: new CgroupTreeV2(root, controllers) }
    rmdirSync(root)
  }
  return {
    tree: undefined,
    reason: `no cgroup below ${own} may be given limits (run as root, or as a systemd service with Delegate=yes)`,
  }
}

function moveIntoLeaf(own: string, pid: number): boolean {
  const leaf = join(own, 'server')
  return canMake(leaf) && tryControl(`${leaf}/cgroup.procs`, pid)
}

function enable(directory: string): void {
  for (const controller of WANTED) tryControl(`${directory}/cgroup.subtree_control`, `+${controller}`)
}

function enabledIn(directory: string): ReadonlySet<string> {
  return new Set(readControl(`${directory}/cgroup.subtree_control`).trim().split(/\s+/))
}

function canMake(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true })
    return isWritable(`${directory}/cgroup.procs`)
  } catch {
    return false
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
