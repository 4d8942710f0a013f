import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex, Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { backendFailed, words } from './commands.ts'
import type { Launched, LaunchSpec } from './launcher.ts'
import { isAlive, startTime } from './procfs.ts'

/** What the launchers that put a process of ours around the sandbox have in common. */

const SAID_BYTES_MAX = 4096

export interface LaunchSteps {
  readonly channelFd: number
  /** The held first process inside. */
  firstProcess(): Promise<number>
  release(): void
  /** Which process the command is, where that is not `pid` itself. */
  command?(pid: number): number | undefined
  /** Whether the released process `pid` has put its file system together. */
  isComplete(pid: number): boolean
}

const COMPLETE_MS_MAX = 10_000
const COMPLETE_PAUSE_MS = 1
const FIRST_PROCESS_MS_MAX = 2_000

/** Waits for the held process, lets `beforeStart` prepare it, and lets it go; undoes everything when a step fails. */
export async function guardLaunch(
  child: ChildProcess,
  spec: LaunchSpec,
  signal: AbortSignal,
  steps: LaunchSteps,
): Promise<Launched> {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const exited = exitOf(child, error => failed.reject(backendFailed('its program could not be run', error)))
  const abort = () => failed.reject(backendFailed('the start was given up', signal.reason))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  for (const stream of child.stdio) stream?.on('error', () => {}) // a dead child's pipes break; its exit is what counts
  // Holds its last words back: when a child ends, Node reads away what nobody has asked for.
  const holdBack = () => {}
  child.stderr?.on('readable', holdBack)
  let pid: number | undefined
  let since: string | undefined
  const kill = () => {
    // The first process before its monitor: the monitor then ends when the namespace is empty, not before.
    if (
      pid !== undefined &&
      child.exitCode === null &&
      child.signalCode === null &&
      startTime(pid) === since
    ) {
      try {
        process.kill(pid, 'SIGKILL')
        return
      } catch {
        // Gone in between; the monitor follows.
      }
    }
    child.kill('SIGKILL')
  }
  const first = steps.firstProcess()
  try {
    pid = await Promise.race([first, failed.promise])
    since = startTime(pid)
    await Promise.race([spec.beforeStart(pid), failed.promise])
    if (signal.aborted) throw backendFailed('the start was given up', signal.reason)
    steps.release()
    const known = pid
    return {
      pid,
      since,
      monitorPid: child.pid ?? pid,
      stdin: child.stdin,
      channel: spec.channel ? (pipeOf(child, steps.channelFd) as Duplex) : undefined,
      stdout: child.stdout as Readable,
      stderr: child.stderr as Readable,
      commandPid: () => (startTime(known) === since ? (steps.command?.(known) ?? known) : undefined),
      complete: () => until(() => steps.isComplete(known), known),
      exited,
      kill,
    }
  } catch (error) {
    // Given up while it is made: its monitor's end alone would leave a first process that waits for its release for ever.
    if (pid === undefined) {
      const patience = sleep(FIRST_PROCESS_MS_MAX, undefined, { ref: false })
      pid = await Promise.race([first.catch(() => undefined), exited.then(() => undefined), patience])
      since = pid === undefined ? undefined : startTime(pid)
    }
    kill()
    child.stderr?.off('readable', holdBack)
    const said = await lastWords(child)
    await exited
    throw said === '' ? error : backendFailed('it could not be made', new Error(said, { cause: error }))
  } finally {
    signal.removeEventListener('abort', abort)
    child.stderr?.off('readable', holdBack)
  }
}

const SETPRIV = '/usr/bin/setpriv'
/**
 * Before a program that shall not outlive the server, not even one that was killed: nobody would watch what it uses. Whoever changes
 * the user must ask again, since that forgets it.
 */
export const MORTAL = [SETPRIV, ...words('--pdeathsig KILL --')]
export const PRLIMIT = '/usr/bin/prlimit'
/** What a process inside is before it is the command. */
export const INNER_PROGRAMS = [SETPRIV, PRLIMIT]

/** The command with the steps that only a process can take for itself: its limits, and becoming the own user. */
export function innerCommand(spec: LaunchSpec): string[] {
  const { openFiles, processes, fileBytes } = spec.rlimits
  const limits = [
    ...words(`${PRLIMIT} --core=0 --nofile=${openFiles} --nproc=${processes} --msgqueue=0 --memlock=65536`),
    ...(fileBytes === undefined ? [] : [`--fsize=${fileBytes}`]),
    '--',
  ]
  if (spec.identity.kind === 'mapped') return [...limits, ...spec.command]
  return [
    ...words(`${SETPRIV} --reuid ${spec.identity.uid} --regid ${spec.identity.uid} --clear-groups`),
    ...words('--bounding-set=-all --inh-caps=-all --no-new-privs --pdeathsig KILL --'),
    ...limits,
    ...spec.command,
  ]
}

/** Our end of the pipe that the child holds as descriptor `fd`; such pipes go both ways. */
export function pipeOf(child: ChildProcess, fd: number): Readable | Writable | Duplex | null | undefined {
  return (child.stdio as readonly (Readable | Writable | null | undefined)[])[fd]
}

/** Settles when `child` has ended; a program that cannot be run counts as ended. */
export function exitOf(child: ChildProcess, onError: (error: Error) => void): Launched['exited'] {
  return new Promise(resolve => {
    child.on('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }))
    child.on('error', error => {
      onError(error)
      if (child.pid === undefined) resolve({ code: undefined, signal: undefined })
    })
  })
}

/** Resolves when `condition` is true of process `pid`; rejects with BACKEND_FAILED when that ends before, or takes too long. */
export async function until(condition: () => boolean, pid: number): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += COMPLETE_PAUSE_MS) {
    if (!isAlive(pid)) throw backendFailed('it ended before it was complete')
    if (waitedMs >= COMPLETE_MS_MAX) throw backendFailed('it was not complete in time')
    await sleep(COMPLETE_PAUSE_MS)
  }
}

async function lastWords(child: ChildProcess): Promise<string> {
  if (child.stderr === null || child.pid === undefined) return ''
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_BYTES_MAX)
  })
  if (!child.stderr.closed) await once(child.stderr, 'close')
  return said.trim()
}
