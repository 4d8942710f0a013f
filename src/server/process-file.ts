import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Which process serves a data directory: how a command on the same machine finds it. */
export interface ProcessFile {
  readonly pid: number
  /** When it started, in the kernel's ticks: with the number it names a process for good. */
  readonly startTicks: string
  /** Why the last wish to restart came to nothing, and when. */
  readonly refused?: { readonly reason: string; readonly atMs: number }
}

/** Says that this process serves `home`. */
export function writeProcessFile(home: string, refused?: ProcessFile['refused']): void {
  const file: ProcessFile = {
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? '',
    ...(refused && { refused }),
  }
  const path = pathIn(home)
  mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, `${JSON.stringify(file)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** Who serves `home`; `undefined` when nobody does. */
export function readProcessFile(home: string): ProcessFile | undefined {
  let file: ProcessFile
  try {
    file = JSON.parse(readFileSync(pathIn(home), 'utf8')) as ProcessFile
  } catch {
    return undefined
  }
  return file.startTicks !== '' && startTicks(file.pid) === file.startTicks ? file : undefined
}

/** Takes it away, unless it is another's by now. */
export function removeProcessFile(home: string): void {
  if (readProcessFile(home)?.pid === process.pid) rmSync(pathIn(home), { force: true })
}

function pathIn(home: string): string {
  return join(home, 'run', 'server.json')
}

function startTicks(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name, in brackets, may hold spaces and brackets of its own: count from the last one.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
