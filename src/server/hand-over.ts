import { existsSync } from 'node:fs'
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
  const watcher = watcherOf(process.env, process.pid, process.ppid, CONTAINER_MARKS.some(existsSync))
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

/** What Docker and Podman put into each container. */
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv']

/** Who would take the end of this process for the end of the server; `undefined`: nobody. */
export function watcherOf(
  env: NodeJS.ProcessEnv,
  pid: number,
  parentPid: number,
  isContainer: boolean,
): string | undefined {
  // With --init, the engine's small first process ends with its child.
  if (pid === 1 || (isContainer && parentPid === 1)) return 'its container (start a new one beside it)'
  // The parent's, where that is Atelier's own starter on an older Node.
  if ([pid, parentPid].some(one => env['SYSTEMD_EXEC_PID'] === String(one)))
    return 'systemd (its sockets lose no request: see docs/operations.md)'
  return undefined
}
