import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { backendFailed, OWN_SESSION, words } from './commands.ts'
import { guardLaunch, INNER_PROGRAMS, innerCommand, pipeOf } from './launch.ts'
import type { Launched, Launcher, LaunchSpec, Mount } from './launcher.ts'
import { commandLine, descendants } from './procfs.ts'

const CHANNEL_FD = 3
const INFO_FD = 4
const BLOCK_FD = 5
const ARGUMENTS_FD = 6
const SECCOMP_FD = 7

const INFO_CHARACTERS_MAX = 4096

/** Sandboxes by bubblewrap: every namespace, a file system put together from `mounts`, no capabilities, the filter. */
export class BubblewrapLauncher implements Launcher {
  readonly name = 'bubblewrap'
  readonly complaint = 'bwrap: '
  readonly #program: string

  constructor(program: string) {
    this.#program = program
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    const child = this.#spawn(spec)
    return guardLaunch(child, spec, signal, {
      channelFd: CHANNEL_FD,
      firstProcess: () => firstProcess(pipeOf(child, INFO_FD) as Readable),
      release: () => (pipeOf(child, BLOCK_FD) as Writable).end('go'),
      command: pid => descendants(pid, 2)[1],
      // Its first process forks once all is in place; the child then becomes the own user, limits itself, and runs the command.
      isComplete: pid => {
        const child = descendants(pid, 2)[1]
        const running = child === undefined ? '' : (commandLine(child)[0] ?? '')
        return running !== '' && ![this.#program, ...INNER_PROGRAMS].includes(running)
      },
    })
  }

  #spawn(spec: LaunchSpec): ChildProcess {
    const seccomp = spec.seccompPath === undefined ? undefined : openSync(spec.seccompPath, 'r')
    try {
      const child = spawn(this.#program, ['--args', String(ARGUMENTS_FD), '--', ...innerCommand(spec)], {
        ...OWN_SESSION,
        // bubblewrap itself runs outside the sandbox, perhaps as root: nothing of the tenant's settings reaches it.
        env: {},
        cwd: '/',
        stdio: [
          spec.stdin ? 'pipe' : 'ignore',
          'pipe',
          'pipe',
          spec.channel ? 'pipe' : 'ignore',
          'pipe',
          'pipe',
          'pipe',
          seccomp ?? 'ignore',
        ],
      })
      const args = pipeOf(child, ARGUMENTS_FD) as Writable
      args.on('error', () => {}) // it ended early; its exit tells more
      // Through a pipe, since a command line is shown to every user of the machine.
      args.end(bubblewrapArguments(spec).join('\0'))
      return child
    } finally {
      if (seccomp !== undefined) closeSync(seccomp)
    }
  }
}

/** The arguments that make the sandbox `spec` describes. */
export function bubblewrapArguments(spec: LaunchSpec): string[] {
  return [
    ...words('--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try'),
    // As root there is no user namespace: the command itself becomes the own user, with these rights and none after. One is to
    // enter the directory, which may be the own user's alone.
    ...words(
      spec.identity.kind === 'mapped'
        ? '--unshare-user --uid 0 --gid 0 --cap-drop ALL'
        : '--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP --cap-add CAP_DAC_READ_SEARCH',
    ),
    ...words(`--die-with-parent --new-session --info-fd ${INFO_FD} --block-fd ${BLOCK_FD}`),
    ...(spec.seccompPath === undefined ? [] : words(`--seccomp ${SECCOMP_FD}`)),
    '--hostname',
    spec.hostname,
    ...spec.mounts.flatMap(mountArguments),
    '--chdir',
    spec.directory,
    '--clearenv',
    ...Object.entries(spec.env).flatMap(([name, value]) => ['--setenv', name, value]),
  ]
}

function mountArguments(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind':
      return [
        // Folders on the way that are not there: bubblewrap alone would make them for root only.
        ...ancestors(mount.target).flatMap(folder => ['--dir', folder]),
        mount.writable ? '--bind' : '--ro-bind',
        mount.source,
        mount.target,
      ]
    case 'tmpfs':
      return ['--perms', mount.mode.toString(8), '--size', String(mount.bytesMax), '--tmpfs', mount.target]
    case 'device':
      return ['--dev-bind', mount.target, mount.target]
    case 'proc':
      return ['--proc', mount.target]
    case 'symlink':
      return [
        ...ancestors(mount.target).flatMap(folder => ['--dir', folder]),
        '--symlink',
        mount.source,
        mount.target,
      ]
    case 'seal':
      return ['--remount-ro', mount.target]
  }
}

function ancestors(path: string): string[] {
  const parts = path.split('/').slice(1, -1)
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)
}

/**
 * Reads the number of the sandbox's first process from what bubblewrap tells about it. The pipe stays open after that: it
 * writes there again later, and would die of a pipe that nobody reads.
 */
function firstProcess(info: Readable): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let text = ''
  info.on('data', (piece: Buffer) => {
    if (text.length < INFO_CHARACTERS_MAX) text += String(piece)
    const pid = /"child-pid":\s*(\d+)\s*[,}]/.exec(text)?.[1]
    if (pid !== undefined) resolve(Number(pid))
  })
  const ended = () => reject(backendFailed('bubblewrap ended before it had made the sandbox'))
  info.once('end', ended)
  info.once('error', ended)
  return promise
}
