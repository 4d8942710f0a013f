import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AtelierError } from '../../core/index.ts'
import { BubblewrapLauncher } from './bubblewrap.ts'
import { findProgram, rootCause } from './commands.ts'
import type { Launcher } from './launcher.ts'
import { PlainLauncher } from './plain.ts'
import { UnshareLauncher } from './unshare.ts'

export type Isolation = 'auto' | 'bubblewrap' | 'unshare' | 'none'

/** A launcher that was tried and works, and what people should know about the choice. */
export interface Tier {
  readonly launcher: Launcher
  readonly notes: readonly string[]
}

export interface LauncherMaker {
  readonly name: Launcher['name']
  make(): Launcher | { readonly reason: string }
}

/**
 * The best launcher that works here, or the one that was asked for. `works` starts a sandbox with it. Rejects with
 * BACKEND_FAILED when there is none: running tenants' code without a sandbox must be asked for by name.
 */
export async function chooseTier(
  isolation: Isolation,
  works: (launcher: Launcher) => Promise<void>,
  makers: readonly LauncherMaker[],
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

/** Every launcher there is, best first. `runPath`: our private folder, where some need a place. */
export function launcherMakers(runPath: string): readonly LauncherMaker[] {
  return [
    {
      name: 'bubblewrap',
      make: () => {
        const program = findProgram('bwrap')
        return program === undefined
          ? { reason: 'bubblewrap is not installed' }
          : new BubblewrapLauncher(program)
      },
    },
    {
      name: 'unshare',
      make: () => {
        const program = findProgram('unshare')
        if (program === undefined) return { reason: 'unshare (util-linux) is not installed' }
        const root = join(runPath, 'root')
        mkdirSync(root, { recursive: true })
        return new UnshareLauncher(program, root)
      },
    },
    { name: 'none', make: () => new PlainLauncher(join(runPath, 'plain')) },
  ]
}
