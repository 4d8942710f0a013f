import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { backendFailed, words } from './commands.ts'
import { openInside } from './inside.ts'
import { guardLaunch, PRLIMIT, pipeOf } from './launch.ts'
import type { Launched, Launcher, LaunchSpec } from './launcher.ts'
import { FUNCTION_TARGET } from './policy.ts'
import { processesMarked } from './procfs.ts'

const CHANNEL_FD = 3
const BLOCK_FD = 4
const SYSTEM_TARGETS = new Set(['/usr', '/etc', '/bin', '/sbin', '/lib', '/lib64', '/lib32', '/libx32'])
const KILL_ROUNDS_MAX = 20 // each finds what the last one's victims had just forked

/**
 * No sandbox: a process like any other, for machines where nothing else works and everybody is trusted. There is no file
 * system of its own, so paths that would be inside are rewritten to where things are on the host, and shims are told by
 * `ATELIER_DIRECTORY` where the bundle is.
 */
export class PlainLauncher implements Launcher {
  readonly name = 'none'
  readonly #home: string

  /** `home`: folder in which each process gets one of its own. */
  constructor(home: string) {
    this.#home = home
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    const home = this.#folder(spec.id)
    mkdirSync(join(home, 'tmp'), { recursive: true, mode: 0o700 })
    const bundle = spec.mounts.find(mount => mount.kind === 'bind' && mount.target === FUNCTION_TARGET)
    if (bundle?.kind === 'bind') this.attach(spec.id, bundle.source)
    const inside = (path: string) => hostPath(path, spec, home)
    const marker = `ATELIER_SANDBOX=${home}`
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        `read -r go <&${BLOCK_FD}; exec ${BLOCK_FD}<&-; exec "$@"`,
        'sh',
        ...limited(spec),
        ...spec.command.map(inside),
      ],
      {
        detached: true,
        cwd: inside(spec.directory),
        env: {
          ...Object.fromEntries(Object.entries(spec.env).map(([name, value]) => [name, inside(value)])),
          ATELIER_DIRECTORY: join(home, 'function'),
          ATELIER_SANDBOX: home,
        },
        stdio: [spec.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', spec.channel ? 'pipe' : 'ignore', 'pipe'],
      },
    )
    const ways = openInside(inside)
    const held = { ...spec, beforeStart: (pid: number) => spec.beforeStart(pid, ways) }
    const launched = await guardLaunch(child, held, signal, {
      channelFd: CHANNEL_FD,
      firstProcess: async () => child.pid ?? Promise.reject(backendFailed('its program could not be run')),
      release: () => (pipeOf(child, BLOCK_FD) as Writable).end('go\n'),
      isComplete: () => true,
    })
    return {
      ...launched,
      inside: ways,
      kill: () => killGroup(launched),
      exited: launched.exited.then(exit => {
        killMarked(marker)
        for (const own of [home, spec.folder]) if (own) rmSync(own, { recursive: true, force: true })
        return exit
      }),
    }
  }

  /** Shows the bundle to process `id`, for `ATELIER_DIRECTORY`. */
  attach(id: string, bundlePath: string): void {
    const link = join(this.#folder(id), 'function')
    rmSync(link, { force: true }) // a generic process was shown all bundles
    symlinkSync(bundlePath, link)
  }

  #folder(id: string): string {
    return join(this.#home, id)
  }
}

/** Limits that are each process's own; one of processes would count all of the user's. */
function limited({ rlimits }: LaunchSpec): string[] {
  return words(`${PRLIMIT} --core=0 --nofile=${rlimits.openFiles} --`)
}

/** Where on the host that is what would be `path` inside. */
function hostPath(
  path: string,
  { mounts, folder }: Pick<LaunchSpec, 'mounts' | 'folder'>,
  home: string,
): string {
  // Its name is told to the program later, and that of a socket may not be long.
  if (folder !== undefined && path.startsWith(`${folder}/`)) return path
  // The bundle is behind a link, which may lead elsewhere when the command runs.
  for (const own of ['/tmp', FUNCTION_TARGET])
    if (path === own || path.startsWith(`${own}/`)) return join(home, path)
  for (const mount of mounts) {
    if (mount.kind !== 'bind' || SYSTEM_TARGETS.has(mount.target)) continue
    if (path === mount.target || path.startsWith(`${mount.target}/`))
      return mount.source + path.slice(mount.target.length)
  }
  return path
}

/** Its process group at once; whoever has left that is found by the marker when it has ended. */
function killGroup(launched: Launched): void {
  try {
    process.kill(-launched.pid, 'SIGKILL')
  } catch {
    launched.kill()
  }
}

function killMarked(marker: string): void {
  for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
    const pids = processesMarked(marker)
    if (pids.length === 0) return
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Gone in between.
      }
    }
  }
}
