import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Cell } from './cell.ts'
import { backendFailed } from './commands.ts'

/**
 * What waits in a generic sandbox for a program that lies in the bundle (`Launch.startsWithCode`): a shell, with all the
 * limits that the program will have. It says when it is there, and becomes the program when it is told so. A shell reads no
 * byte beyond its line, so what follows is the program's.
 */
const SCRIPT = 'echo >&3 && IFS= read -r line <&3 && exec "$@"'
const LINE = '\n'
const WAITING_MS_MAX = 10_000

/** `command` so that it waits for `letGo`. */
export function waitingForCode(command: readonly string[]): string[] {
  return ['/bin/sh', '-c', SCRIPT, 'sh', ...command]
}

/** Resolves when it waits. Rejects with BACKEND_FAILED when it never will, or `signal` aborts. */
export async function untilWaiting(cell: Cell, channel: Duplex, signal: AbortSignal): Promise<void> {
  const given = AbortSignal.any([signal, AbortSignal.timeout(WAITING_MS_MAX)])
  try {
    await Promise.race([once(channel, 'readable', { signal: given }), cell.exited])
  } catch (error) {
    throw backendFailed('what waits in it for its code did not come up', error)
  }
  if (String(channel.read(LINE.length)) !== LINE) throw backendFailed('it ended before it had its code')
}

/** The code is there: lets the command run. */
export function letGo(channel: Duplex): void {
  channel.write(LINE)
}
