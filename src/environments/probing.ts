import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
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

/** The first answer in the order of `programs`; all are asked at once. */
export async function firstAnswer<T>(
  programs: readonly string[],
  ask: (program: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  const answers = await Promise.all(programs.map(ask))
  return answers.find(answer => answer !== undefined)
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
