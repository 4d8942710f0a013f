import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Shim } from '../suites/frames/driver.ts'

/** Starts a shim as the local backend does, without the sandbox: its stream is descriptor 3. */
export function spawnShim(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Shim {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  return {
    channel: child.stdio[3] as Duplex,
    exited: once(child, 'exit'),
    kill: () => child.kill('SIGKILL'),
  }
}
