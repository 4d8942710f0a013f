import { readFileSync } from 'node:fs'
import { AtelierError } from '../core/index.ts'
import type { Server } from './server.ts'
import { Successor } from './successor.ts'

/**
 * Has a new process of this program, as it lies on the disk now, serve in the place of this one. Clients who connect between the two wait
 * in the sockets, which both have open; nobody is refused. The new one is started first: when it cannot read its configuration or its
 * code, this rejects and `server` serves on. Resolves when the new one serves. Rejects with UNAVAILABLE; `server.isStopping`
 * tells whether it is past turning back.
 */
export async function handOver(server: Server, stopAsked: Promise<void>): Promise<void> {
  const watcher = watcherOf(process.env, process.pid, process.ppid, nameOfFirst())
  if (watcher !== undefined)
    throw new AtelierError(
      'UNAVAILABLE',
      `this process is watched by ${watcher}, which would not know the new one.`,
    )
  const successor = new Successor(server.doors.handles())
  void stopAsked.then(() => successor.stop())
  await successor.prepared()
  console.log(`Process ${successor.pid} takes over: running calls may finish, new ones wait for it.`)
  await server.stop()
  await successor.go()
  successor.release()
}

/**
 * First processes that end with their one child: those that `--init` puts before it. Others are parents of whatever was left behind, such
 * as a server that took over.
 */
const INITS_OF_CONTAINERS = ['docker-init', 'podman-init', 'catatonit', 'tini', 'dumb-init']

function nameOfFirst(): string | undefined {
  try {
    return readFileSync('/proc/1/comm', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Who would take the end of this process for the end of the server; `undefined`: nobody. `firstName`: of process 1. */
export function watcherOf(
  env: NodeJS.ProcessEnv,
  pid: number,
  parentPid: number,
  firstName: string | undefined,
): string | undefined {
  // With --init, the engine's small first process ends with its child.
  const isOfInit = parentPid === 1 && INITS_OF_CONTAINERS.includes(firstName ?? '')
  if (pid === 1 || isOfInit) return 'its container (start a new one beside it)'
  // The parent's, where that is Atelier's own starter on an older Node.
  if ([pid, parentPid].some(one => env['SYSTEMD_EXEC_PID'] === String(one)))
    return 'systemd (its sockets lose no request: see docs/operations.md)'
  return undefined
}
