import { execFile } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { EnvironmentStatus } from './environment.ts'

const run = promisify(execFile)

const PROBE_MS_MAX = 20_000
const MISSING_KEPT_MS = 30_000

/** What a program prints; `undefined` when it is not there or fails. */
export async function outputOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, [...args], { timeout: PROBE_MS_MAX, cwd: '/' })
    return stdout
  } catch {
    return undefined
  }
}

/** Whether there is a program of this path. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The first answer in the order of `programs`, paths or names that are looked for in the PATH. They are asked one after the other, and the
 * same program once: the first is what most machines have, and a JVM takes its time to say its version.
 */
export async function firstAnswer<T>(
  programs: readonly string[],
  ask: (program: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const program of programsOf(programs)) {
    const answer = await ask(program)
    if (answer !== undefined) return answer
  }
  return undefined
}

/** The paths of those programs that are there, without those that lead to one before them. */
export function programsOf(programs: readonly string[]): string[] {
  const folders = (process.env['PATH'] ?? '').split(':').filter(folder => folder.startsWith('/'))
  const paths = programs
    .map(each =>
      each.startsWith('/') ? each : folders.map(folder => join(folder, each)).find(path => isProgram(path)),
    )
    .filter(path => path !== undefined && isProgram(path)) as string[]
  const real = paths.map(path => realpathSync(path))
  return paths.filter((_, i) => real.indexOf(real[i]!) === i)
}

/** Looks once for what is there, and every so often for what is not: it may be installed while we run. */
export function probedOnce(look: () => Promise<EnvironmentStatus>): () => Promise<EnvironmentStatus> {
  let found: Promise<EnvironmentStatus> | undefined
  let missingSince = 0
  return async () => {
    if (missingSince !== 0 && performance.now() - missingSince > MISSING_KEPT_MS) found = undefined
    found ??= look()
    const status = await found
    missingSince = status.ready ? 0 : missingSince || performance.now()
    return status
  }
}
