import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from './engine.ts'

const GONE_MS_MAX = 60_000
const POLL_MS = 100
/** Folders of an engine's own folder are counted so deep: those of containers are there. */
const DEPTH = 4
const NETWORK_HOLDER = 'localhost/atelier/pause:1'

/** What containers take from a machine. */
interface Counts {
  readonly containers: number
  /** Of the engine and its containers, and children of this process. */
  readonly processes: readonly string[]
  /** Open in this process. */
  readonly sockets: number
  readonly folders: readonly string[]
  readonly mounts: number
}

/** Counts now; the check that it returns fails, naming what is left, when it does not become the same again. */
export async function watchLeaks(engine: Engine): Promise<() => Promise<void>> {
  await engine.once()
  const becomesTheSame = await watched(() => countsOf(engine))
  return async () => {
    await engine.command('rmi', NETWORK_HOLDER).catch(() => {}) // which the backend makes once, and keeps
    await becomesTheSame()
  }
}

/** The same for what this process has by itself: its children and its sockets. */
export function watchOwnLeaks(): Promise<() => Promise<void>> {
  return watched(async () => ({ children: processesThat(() => false), sockets: socketsOpen() }))
}

async function watched(count: () => Promise<object>): Promise<() => Promise<void>> {
  const before = await count()
  return async () => {
    const end = performance.now() + GONE_MS_MAX
    for (;;) {
      const after = await count()
      try {
        assert.deepEqual(after, before)
        return
      } catch (error) {
        if (performance.now() > end) throw error
        await sleep(POLL_MS)
      }
    }
  }
}

async function countsOf(engine: Engine): Promise<Counts> {
  return {
    containers: (await engine.containers()).length,
    processes: processesThat(command => command.includes(engine.home)),
    sockets: socketsOpen(),
    folders: foldersIn(engine.home, DEPTH),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter(line => line.includes(`${engine.home}/`)).length,
  }
}

/** Our children, and others whose command line is one of these. */
function processesThat(belong: (command: string) => boolean): string[] {
  return readdirSync('/proc').flatMap(pid => {
    try {
      const command = readFileSync(`/proc/${Number(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return belong(command) || Number(parent) === process.pid ? [`${pid} ${command}`] : []
    } catch {
      return [] // none, or it ended meanwhile
    }
  })
}

function socketsOpen(): number {
  return readdirSync('/proc/self/fd').filter(isSocket).length
}

function isSocket(descriptor: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:')
  } catch {
    return false // closed meanwhile
  }
}

function foldersIn(path: string, depth: number): string[] {
  if (depth === 0) return []
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter(each => each.isDirectory())
      .flatMap(each => [join(path, each.name), ...foldersIn(join(path, each.name), depth - 1)])
      .sort()
  } catch {
    return [] // gone meanwhile
  }
}
