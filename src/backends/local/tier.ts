import { AtelierError } from '../../core/index.ts'
import { BubblewrapLauncher } from './bubblewrap.ts'
import { findProgram } from './commands.ts'
import type { Launcher } from './launcher.ts'

export type Isolation = 'auto' | 'bubblewrap' | 'unshare' | 'none'

/** A launcher that was tried and works, and what people should know about the choice. */
export interface Tier {
  readonly launcher: Launcher
  readonly notes: readonly string[]
}

/**
 * The best launcher that works here, or the one that was asked for. `works` starts a sandbox with it. Rejects with
 * BACKEND_FAILED when there is none: running tenants' code without a sandbox must be asked for by name.
 */
export async function chooseTier(
  isolation: Isolation,
  works: (launcher: Launcher) => Promise<void>,
  makers: readonly { readonly name: Launcher['name']; make(): Launcher | { readonly reason: string } }[],
): Promise<Tier> {
  const reasons: string[] = []
  for (const { name, make } of makers) {
    if (isolation === 'auto' ? name === 'none' : name !== isolation) continue
    const launcher = make()
    if ('reason' in launcher) {
      reasons.push(`${name}: ${launcher.reason}`)
      continue
    }
    try {
      await works(launcher)
      return { launcher, notes: reasons.map(reason => `Not in use: ${reason}.`) }
    } catch (error) {
      reasons.push(`${name}: a trial sandbox failed (${rootCause(error)})`)
    }
  }
  throw new AtelierError(
    'BACKEND_FAILED',
    `No sandbox works on this machine. ${reasons.join('; ')}. Install bubblewrap (apt install bubblewrap), or accept that functions can read and change everything this server can with --isolation none.`,
  )
}

export const bubblewrapMaker = {
  name: 'bubblewrap',
  make: () => {
    const program = findProgram('bwrap')
    return program === undefined ? { reason: 'bubblewrap is not installed' } : new BubblewrapLauncher(program)
  },
} as const

function rootCause(error: unknown): string {
  let at = error
  while (at instanceof Error && at.cause !== undefined) at = at.cause
  return at instanceof Error ? (at.message.split('\n')[0] ?? '') : String(at)
}
