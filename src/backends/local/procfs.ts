import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** Reading /proc. Every answer is a snapshot; a process that is gone reads as nothing. */

/** When process `pid` started, in the kernel's ticks: with the number it names a process for good. */
export function startTime(pid: number): string | undefined {
  // The program's name, in brackets, may hold spaces and brackets of its own: count from the last one.
  return afterName(pid)?.[19]
}

/** Whether process `pid` is there and more than a zombie. */
export function isAlive(pid: number): boolean {
  const fields = afterName(pid)
  return fields !== undefined && fields[0] !== 'Z' && fields[0] !== 'X'
}

function afterName(pid: number): string[] | undefined {
  const text = read(`/proc/${pid}/stat`)
  return text === undefined ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** The user that process `pid` acts as, by the host's number; `undefined` when it is gone. */
export function userOf(pid: number): number | undefined {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return uid === undefined ? undefined : Number(uid)
}

/** Program and arguments of process `pid`; empty when it is gone. */
export function commandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
}

/** `pid` and everything below it. Where orphans go to `pid` (it is a namespace's first), that is all there is. */
export function descendants(pid: number, max: number): number[] {
  const found = [pid]
  for (let at = 0; at < found.length && found.length < max; at++) {
    const parent = found[at]
    for (const thread of list(`/proc/${parent}/task`)) {
      const children = read(`/proc/${parent}/task/${thread}/children`)?.trim()
      if (children) found.push(...children.split(' ').map(Number))
    }
  }
  return found
}

/** Memory that processes hold for themselves (anonymous and shared memory, not program files), and their threads. */
export function footprint(pids: readonly number[]): { memoryBytes: number; tasks: number; cpuMs: number } {
  let memoryKib = 0
  let tasks = 0
  let ticks = 0
  for (const pid of pids) {
    const status = read(`/proc/${pid}/status`)
    if (status === undefined) continue
    memoryKib += numberAfter(status, 'RssAnon:') + numberAfter(status, 'RssShmem:')
    tasks += numberAfter(status, 'Threads:')
    const fields = afterName(pid)
    for (const index of [11, 12, 13, 14]) ticks += Number(fields?.[index] ?? 0)
  }
  return { memoryBytes: memoryKib * 1024, tasks, cpuMs: ticks * MS_PER_TICK }
}

const MS_PER_TICK = 10 // USER_HZ is 100 on every machine we run on

/** Processes whose environment holds `marker`, for where nothing better ties them together. */
export function processesMarked(marker: string): number[] {
  const pids = list('/proc').filter(name => /^\d+$/.test(name))
  return pids.filter(pid => read(`/proc/${pid}/environ`)?.split('\0').includes(marker)).map(Number)
}

/** The hard limit of open files of this process: no child can have more. */
export function openFilesHardLimit(): number {
  const line = read('/proc/self/limits')?.match(/^Max open files\s+\S+\s+(\d+)/m)
  return line === null || line === undefined ? 1024 : Number(line[1])
}

/** Whether this process may raise limits, its own and others' (CAP_SYS_RESOURCE). Root in a container often may not. */
export function mayRaiseLimits(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status') ?? '')?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}

const CAP_SYS_RESOURCE = 24n

/**
 * Closes descriptors that this process was started with and that its children would inherit: a pipe of whoever started
 * us has no business in a sandbox. What Node itself opens is closed in children by the kernel.
 */
export function closeInherited(): void {
  for (const name of list('/proc/self/fd')) {
    const fd = Number(name)
    const flags = /^flags:\s*([0-7]+)$/m.exec(read(`/proc/self/fdinfo/${fd}`) ?? '')?.[1]
    if (fd <= 2 || flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0) continue
    closeSync(fd)
  }
}

const O_CLOEXEC = 0o2000000

function numberAfter(text: string, name: string): number {
  const at = text.indexOf(name)
  return at < 0 ? 0 : Number.parseInt(text.slice(at + name.length), 10)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined // gone, or not ours to read
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
