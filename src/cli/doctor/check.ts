import { execFile } from 'node:child_process'

/** One thing to look at. */
export interface Check {
  readonly name: string
  look(): Promise<Finding>
}

/** `remedy` says what to do when it is not `ok`. */
export interface Finding {
  readonly state: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly remedy?: string
}

export function ok(found: string): Finding {
  return { state: 'ok', found }
}

export function warn(found: string, remedy: string): Finding {
  return { state: 'warn', found, remedy }
}

export function fail(found: string, remedy: string): Finding {
  return { state: 'fail', found, remedy }
}

const PROGRAM_PATIENCE_MS = 10_000

/** The first line that a program prints; `undefined` when it is not there, fails or hangs. */
export function firstLineOf(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise(resolve => {
    execFile(program, args, { timeout: PROGRAM_PATIENCE_MS, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve(error ? undefined : (`${stdout}${stderr}`.trim().split('\n')[0] ?? ''))
    })
  })
}
