import type { Clock } from '../../core/index.ts'
import type { RunResult, RunSpec } from '../backend.ts'
import type { Cells } from './cells.ts'
import { backendFailed, command, findProgram } from './commands.ts'
import { watchDisk } from './disk.ts'
import type { Identity, Launcher } from './launcher.ts'
import { type HostSystem, rlimitsFor, sandboxMounts, WORK_TARGET } from './policy.ts'

const MIB = 1024 * 1024
const NO_SANDBOX = Buffer.from('This server has no sandbox: the step runs as a process like any other.\n')

export interface RunParts {
  readonly cells: Cells
  readonly clock: Clock
  readonly host: HostSystem
  readonly openFilesHard: number
  readonly launcher: Launcher
  /** Whether commands have a network namespace that can be connected. */
  readonly sandboxed: boolean
}

/**
 * Runs one command to its end in a sandbox of its own; see `Backend.run`. A sandbox that could not be made is made once more: now and
 * then the kernel refuses bubblewrap a network namespace's loopback, and a tenant's build is not to fail for that.
 */
export async function runCommand(spec: RunSpec, parts: RunParts, signal: AbortSignal): Promise<RunResult> {
  const { complaint } = parts.launcher
  const first: { stdout?: Uint8Array; stderr?: Uint8Array } = {}
  const onOutput: RunSpec['onOutput'] = (stream, chunk) => {
    first[stream] ??= chunk
    spec.onOutput(stream, chunk)
  }
  const complains = (words: string): boolean =>
    complaint !== undefined && words.startsWith(complaint) && !signal.aborted
  try {
    const result = await runOnce({ ...spec, onOutput }, parts, signal)
    const said = first.stdout === undefined ? Buffer.from(first.stderr ?? []).toString() : ''
    if (result.code !== 1 || !complains(said)) return result
  } catch (error) {
    // It has ended before anybody heard of its first process; see `guardLaunch`.
    const { cause } = error as Error
    if (!(cause instanceof Error && complains(cause.message))) throw error
  }
  return runOnce(spec, parts, signal)
}

async function runOnce(spec: RunSpec, parts: RunParts, signal: AbortSignal): Promise<RunResult> {
  const { limits } = spec
  const writable = [spec.workPath, ...spec.mounts.filter(mount => mount.writable).map(mount => mount.source)]
  let identity: Identity = { kind: 'mapped' }
  const cell = await parts.cells.open(
    {
      id: spec.id,
      command: spec.command,
      env: spec.env,
      directory: WORK_TARGET,
      mounts: sandboxMounts(
        parts.host,
        { kind: 'work', workPath: spec.workPath },
        spec.mounts,
        limits.tmpMiB,
      ),
      limits: {
        memoryBytes: limits.memoryMiB * MIB,
        cpuMillicores: limits.cpuMillicores,
        tasks: limits.processesMax + 1,
      },
      rlimits: rlimitsFor(limits, parts.openFilesHard, spec.diskBytesMax),
      connected: spec.network === 'outbound' && parts.sandboxed,
      channel: false,
    },
    parts.launcher,
    signal,
    async own => {
      identity = own
      await giveFiles(writable, own)
    },
  )
  if (parts.launcher.name === 'none') spec.onOutput('stderr', NO_SANDBOX)
  let ended: 'timeout' | 'cancelled' | 'disk' | undefined
  const end = (reason: 'timeout' | 'cancelled' | 'disk') => {
    ended ??= reason
    void cell.kill()
  }
  const cancelTimer = parts.clock.after(limits.timeoutMs, () => end('timeout'))
  const onAbort = () => end('cancelled')
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const disk = watchDisk(writable, spec.diskBytesMax, parts.clock, () => end('disk'))
  const outputs = [
    drain(cell.stdout, chunk => spec.onOutput('stdout', chunk)),
    drain(cell.stderr, chunk => spec.onOutput('stderr', chunk)),
  ]
  try {
    const exit = await cell.exited
    await Promise.all(outputs)
    const reason = ended ?? (exit.reason === 'memory' ? 'memory' : 'exit')
    return { code: exit.code, signal: exit.signal, reason }
  } finally {
    cancelTimer()
    disk.stop()
    signal.removeEventListener('abort', onAbort)
    await takeFiles(writable, identity)
  }
}

/** Makes the own user the owner of what it may write. Links are changed themselves, never what they point to. */
async function giveFiles(paths: readonly string[], identity: Identity): Promise<void> {
  if (identity.kind === 'own')
    await command(system('chown'), ['-hR', `${identity.uid}:${identity.uid}`, '--', ...paths])
}

/** Takes the files back: ours, readable for everyone (the functions' users are others), without setuid bits. */
async function takeFiles(paths: readonly string[], identity: Identity): Promise<void> {
  if (identity.kind !== 'own') return
  await command(system('chown'), ['-hR', '0:0', '--', ...paths])
  await command(system('chmod'), ['-R', 'u+rwX,go+rX,go-w', '--', ...paths])
}

function system(name: string): string {
  const path = findProgram(name)
  if (path === undefined) throw backendFailed(`${name} is not installed (package coreutils)`)
  return path
}

function drain(stream: NodeJS.ReadableStream, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  stream.on('data', (chunk: Buffer) => onChunk(chunk))
  return new Promise(resolve => stream.once('close', resolve))
}
