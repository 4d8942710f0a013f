import { Socket } from 'node:net'
import type { Inherited } from './doors.ts'

/** `api=4:1881,router=5:1882`: names, descriptors and ports of a predecessor's sockets; of systemd's, without the ports. */
export const LISTENERS = 'ATELIER_LISTENERS'
/** The descriptor at which a predecessor is spoken to. */
export const PREDECESSOR = 'ATELIER_PREDECESSOR'
const FIRST_OF_SYSTEMD = 3

/** What a process got from who started it. */
export interface Inheritance {
  readonly listeners: ReadonlyMap<string, Inherited>
  /** A server on the same home, which ends for this one. */
  readonly predecessor: Socket | undefined
}

/**
 * Reads what systemd (`LISTEN_FDS` with `LISTEN_FDNAMES`, see sd_listen_fds(3)) or a predecessor left in the environment, and takes
 * it out, so that no child believes it is meant.
 */
export function takeInheritance(env: NodeJS.ProcessEnv, pid: number): Inheritance {
  const listeners = new Map<string, Inherited>()
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env
  if (Number(LISTEN_PID) === pid) {
    const names = (LISTEN_FDNAMES ?? '').split(':')
    for (let i = 0; i < Number(LISTEN_FDS); i++)
      listeners.set(names[i] ?? '', { fd: FIRST_OF_SYSTEMD + i, port: undefined })
  }
  for (const [, name, fd, port] of (env[LISTENERS] ?? '').matchAll(/([\w-]+)=(\d+):(\d*)/g))
    listeners.set(name!, { fd: Number(fd), port: port ? Number(port) : undefined })
  const at = env[PREDECESSOR]
  const predecessor = at === undefined ? undefined : new Socket({ fd: Number(at) })
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', LISTENERS, PREDECESSOR]) delete env[name]
  return { listeners, predecessor }
}
