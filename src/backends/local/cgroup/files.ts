import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const REMOVE_TRIES_MAX = 200 // a killed process leaves its group once it has let go of its memory: milliseconds
const REMOVE_PAUSE_MS = 10

/** Reads a control file; empty when it is not there. */
export function readControl(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

export function writeControl(path: string, value: string | number): void {
  writeFileSync(path, String(value))
}

/** Writes where the kernel has such a file and lets us; for what is good to have. */
export function tryControl(path: string, value: string | number): boolean {
  try {
    writeControl(path, value)
    return true
  } catch {
    return false
  }
}

/** The number on the line `key N` of a flat keyed file. */
export function keyedNumber(text: string, key: string): number {
  const line = text.split('\n').find(line => line.startsWith(`${key} `))
  return line === undefined ? 0 : Number(line.slice(key.length + 1))
}

export function processesIn(directory: string): number[] {
  return readControl(`${directory}/cgroup.procs`).split('\n').filter(Boolean).map(Number)
}

export function groupsIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
  } catch {
    return []
  }
}

/** Kills what is in `directory` again and again until it is empty, and removes it. */
export async function emptyAndRemove(directory: string, kill: () => void): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES_MAX; tries++) {
    if (processesIn(directory).length > 0) kill()
    try {
      rmdirSync(directory)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      await sleep(REMOVE_PAUSE_MS)
    }
  }
}

/** Removes an empty group; one that is in use stays. */
export function tryRemove(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Something is in it, or it is gone.
  }
}

export function killProcesses(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone in between, which is what we want.
    }
  }
}
