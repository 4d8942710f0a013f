import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { backendFailed, OWN_SESSION, words } from './commands.ts'
import { guardLaunch, INNER_PROGRAMS, innerCommand, MORTAL, pipeOf } from './launch.ts'
import type { Launched, Launcher, LaunchSpec, Mount } from './launcher.ts'
import { commandLine } from './procfs.ts'

const CHANNEL_FD = 3
const INFO_FD = 4
const BLOCK_FD = 5
const ENV = '/usr/bin/env'
const SCRIPT_BEGIN = 'set -e # sandbox'

/**
 * Sandboxes by util-linux alone, where bubblewrap is missing: the same namespaces, file system and user, put together by a
 * shell. There is no system call filter.
 */
export class UnshareLauncher implements Launcher {
  readonly name = 'unshare'
  readonly #program: string
  readonly #root: string

  /** `root`: an empty folder of ours; each sandbox puts its file system together over it, unseen by the others. */
  constructor(program: string, root: string) {
    this.#program = program
    this.#root = root
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    const child = this.#spawn(spec)
    return guardLaunch(child, spec, signal, {
      channelFd: CHANNEL_FD,
      firstProcess: () => firstProcess(pipeOf(child, INFO_FD) as Readable),
      release: () => (pipeOf(child, BLOCK_FD) as Writable).end('go\n'),
      // The shell and the programs after it, which change limits and user, have made way for the command.
      isComplete: pid => {
        const [running = '', , argument = ''] = commandLine(pid)
        return (
          running !== '' && ![ENV, ...INNER_PROGRAMS].includes(running) && !argument.startsWith(SCRIPT_BEGIN)
        )
      },
    })
  }

  #spawn(spec: LaunchSpec): ChildProcess {
    const user = spec.identity.kind === 'mapped' ? ' --user --map-root-user' : ''
    const [program, ...first] = MORTAL
    return spawn(
      program!,
      [
        ...first,
        this.#program,
        ...words(
          `--mount --propagation private --pid --net --ipc --uts --cgroup --fork --kill-child${user} -- /bin/sh -c`,
        ),
        script(spec, this.#root),
        'sh',
        ...confined(spec),
      ],
      {
        ...OWN_SESSION,
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        cwd: '/',
        stdio: [
          spec.stdin ? 'pipe' : 'ignore',
          'pipe',
          'pipe',
          spec.channel ? 'pipe' : 'ignore',
          'pipe',
          'pipe',
        ],
      },
    )
  }
}

/** The inner command, started with the environment of the sandbox and without any way to new rights. */
function confined(spec: LaunchSpec): string[] {
  const environment = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`)
  const inner = innerCommand(spec)
  // `innerCommand` drops rights where it changes the user; in a user namespace nothing is changed, so they are dropped here.
  const drop =
    spec.identity.kind === 'mapped'
      ? words('/usr/bin/setpriv --bounding-set=-all --inh-caps=-all --no-new-privs --')
      : []
  return [ENV, '-i', ...environment, ...drop, ...inner]
}

/**
 * Puts the file system together on a tmpfs, makes it the root, and waits. The host's number of the shell is read from the host's
 * /proc while that is still there. The old root is left by unmounting it, so there is no way back to it.
 */
function script(spec: LaunchSpec, root: string): string {
  return [
    SCRIPT_BEGIN,
    'read -r pid rest < /proc/self/stat',
    `mount -t tmpfs -o nosuid,nodev,mode=755,size=1m none ${quote(root)}`,
    `cd ${quote(root)}`,
    ...spec.mounts.flatMap(mount => steps(mount, root)),
    `hostname ${quote(spec.hostname)} || true`,
    'ip link set lo up 2>/dev/null || true',
    'mkdir .old',
    'pivot_root . .old',
    'cd /',
    'umount -l /.old',
    'rmdir /.old',
    'mount -o remount,bind,ro /',
    `echo "$pid" >&${INFO_FD}`,
    `exec ${INFO_FD}>&-`,
    `read -r go <&${BLOCK_FD}`,
    `exec ${BLOCK_FD}<&-`,
    `cd ${quote(spec.directory)}`,
    'exec "$@"',
  ].join('\n')
}

/** Shell commands that put `mount` into the file system that is being made at `root`. */
export function steps(mount: Mount, root: string): string[] {
  const target = quote(root + mount.target)
  switch (mount.kind) {
    case 'bind': {
      const source = quote(mount.source)
      return [
        `if [ -d ${source} ]; then mkdir -p ${target}; else mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : > ${target}; fi`,
        `mount --rbind ${source} ${target}`,
        `mount -o remount,bind,nosuid,nodev${mount.writable ? '' : ',ro'} ${target}`,
      ]
    }
    case 'tmpfs':
      return [
        `mkdir -p ${target}`,
        `mount -t tmpfs -o nosuid,nodev,size=${mount.bytesMax},mode=${mount.mode.toString(8)} none ${target}`,
      ]
    case 'device':
      return [`: > ${target}`, `mount --bind ${quote(mount.target)} ${target}`]
    case 'proc':
      return [`mkdir -p ${target}`, `mount -t proc -o nosuid,nodev,noexec none ${target}`]
    case 'symlink':
      return [`mkdir -p "$(dirname ${target})"`, `ln -s ${quote(mount.source)} ${target}`]
    case 'seal':
      // The root is sealed after it has become the root.
      return mount.target === '/' ? [] : [`mount -o remount,bind,ro ${target}`]
  }
}

/** `text` as one word of a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** The number that the shell tells over `info` when all is put together. */
export function firstProcess(info: Readable): Promise<number> {
  return new Promise((resolve, reject) => {
    info.setEncoding('utf8').on('data', (text: string) => resolve(Number.parseInt(text, 10)))
    info.once('close', () => reject(backendFailed('the shell ended before it had made the sandbox')))
  })
}
