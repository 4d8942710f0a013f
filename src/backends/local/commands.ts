import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { AtelierError } from '../../core/index.ts'

/** Where system programs are; sbin as well, since an ordinary user's PATH lacks it. */
const PROGRAM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']
const OUTPUT_BYTES_MAX = 4096
export const COMMAND_ENV = { PATH: PROGRAM_FOLDERS.join(':'), LC_ALL: 'C' }

/**
 * Options for every process that serves a sandbox: Ctrl-C in a terminal goes to all processes of the server's group, but when
 * instances end is for the server alone to say, which lets their calls finish first.
 */
export const OWN_SESSION = { detached: true } as const

/** Full path of a system program, when it is installed. */
export function findProgram(name: string): string | undefined {
  return PROGRAM_FOLDERS.map(folder => `${folder}/${name}`).find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Runs a small system command to its end. Rejects with BACKEND_FAILED when it fails; what it printed is in the cause. */
export function command(program: string, args: readonly string[], input?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: COMMAND_ENV, stdio: ['pipe', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-OUTPUT_BYTES_MAX)
    })
    child.stdin.on('error', () => {}) // it may end without reading; its exit code tells
    child.stdin.end(input)
    child.on('error', error => reject(backendFailed(`${program} could not be run`, error)))
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(backendFailed(`${program} failed with code ${code}`, new Error(said)))
    })
  })
}

/** Arguments that hold no spaces of their own, written as one reads them. */
export function words(text: string): string[] {
  return text.split(' ')
}

export function backendFailed(what: string, cause?: unknown): AtelierError {
  return new AtelierError('BACKEND_FAILED', `The sandbox could not be used: ${what}.`, { cause })
}

/** The first line of what an error says that others were made of. */
export function rootCause(error: unknown): string {
  let at = error
  while (at instanceof Error && at.cause !== undefined) at = at.cause
  return at instanceof Error ? (at.message.split('\n')[0] ?? '') : String(at)
}
