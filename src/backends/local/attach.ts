import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import type { Writable } from 'node:stream'
import { backendFailed, COMMAND_ENV, command, findProgram, OWN_SESSION, words } from './commands.ts'
import type { Identity, Rlimits } from './launcher.ts'
import { FUNCTION_TARGET } from './policy.ts'
import { descendants } from './procfs.ts'

const PROCESSES_IN_GENERIC_MAX = 64

/**
 * Waits for its orders while nobody waits for it, then mounts the bundle over the folder with all of them; nobody inside has
 * the right to take it away. The first line is the bundle's name, the second the size of /tmp where that changes. A program of
 * its own for the mount would take longer than all else of a first call's way, so Perl makes the system calls, where there is Perl.
 */
const PERL = '/usr/bin/perl'
const PERL_SCRIPT = String.raw`
my ($number, $from, $onto) = @ARGV;
defined(my $bundle = <STDIN>) or exit 1;
defined(my $size = <STDIN>) or exit 1;
chomp($bundle, $size);
my ($source, $none, $type, $options, $tmp) = ("$from/$bundle", "none", "", "size=$size", "/tmp");
my $remount = 0x20 | 0x02 | 0x04; # MS_REMOUNT, MS_NOSUID, MS_NODEV
my $bind = 0x1000; # MS_BIND
if ($size ne "") { syscall($number, $none, $tmp, $type, $remount, $options) == 0 or die "/tmp: $!\n" }
syscall($number, $source, $onto, $type, $bind, 0) == 0 or die "$onto: $!\n";
syswrite(STDOUT, "shown");
`
const MOUNT_NUMBERS: Readonly<Record<string, number>> = { x64: 165, arm64: 40 }

const SHELL_SCRIPT = `set -e
IFS= read -r bundle
IFS= read -r size
if [ -n "$size" ]; then mount --no-canonicalize -o "remount,nosuid,nodev,size=$size" /tmp; fi
exec mount --no-canonicalize --bind "$1/$bundle" "$2"`

/** By what an attendant mounts. */
export type Tool = 'perl' | 'mount'

function bestTool(): Tool {
  return MOUNT_NUMBERS[process.arch] !== undefined && existsSync(PERL) ? 'perl' : 'mount'
}

function commandOf(tool: Tool, { from, onto }: Places): string[] {
  return tool === 'perl'
    ? [PERL, '-e', PERL_SCRIPT, String(MOUNT_NUMBERS[process.arch]), from, onto]
    : ['/bin/sh', '-c', SHELL_SCRIPT, 'sh', from, onto]
}

const SAID_BYTES_MAX = 4096

/** Folder with all bundles, and where one of them is shown, as the sandbox's first process sees them. */
export interface Places {
  readonly from: string
  readonly onto: string
}

/** The one hides the others. */
export const USUAL_PLACES: Places = { from: FUNCTION_TARGET, onto: FUNCTION_TARGET }

/**
 * A process of ours in the mount namespace of one generic sandbox, with rights that nobody inside has, and outside of its
 * process namespace, where nobody inside can see it. It ends with its orders, and when this process does.
 */
export class Attendant {
  readonly #process: ChildProcess
  /** 0: it has been shown. */
  readonly #outcome: Promise<number | undefined>
  #said = ''

  /** `pid`: the first process of a sandbox whose file system is complete. */
  constructor(pid: number, identity: Identity, places: Places, tool: Tool = bestTool()) {
    const user = identity.kind === 'mapped' ? ['-U', '--preserve-credentials'] : []
    this.#process = spawn(
      program('nsenter'),
      ['-t', String(pid), ...user, '-m', '--', ...commandOf(tool, places)],
      {
        ...OWN_SESSION,
        env: COMMAND_ENV,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.#process.stdin?.on('error', () => {}) // it has ended; its code tells
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_BYTES_MAX)
    })
    this.#outcome = new Promise(resolve => {
      this.#process.stdout?.once('data', () => resolve(0)) // sooner than its end
      this.#process.on('exit', code => resolve(code ?? undefined))
      this.#process.on('error', () => resolve(undefined))
    })
  }

  /**
   * Shows the bundle in the sandbox and hides all others. No code of a tenant may have run before. Rejects with
   * BACKEND_FAILED; then the sandbox is of no use.
   */
  async show(options: {
    readonly bundlesPath: string
    readonly bundlePath: string
    readonly tmpBytes: number | undefined
  }): Promise<void> {
    const { bundlesPath, bundlePath, tmpBytes } = options
    const name = relative(bundlesPath, bundlePath)
    if (name === '' || name.startsWith('..') || name.startsWith('/') || name.includes('\n')) {
      this.dismiss()
      throw backendFailed(`the bundle ${bundlePath} is not below ${bundlesPath}`)
    }
    const orders = this.#process.stdin as Writable
    orders.end(`${name}\n${tmpBytes ?? ''}\n`)
    const code = await this.#outcome
    if (code !== 0)
      throw backendFailed(`its bundle could not be mounted (code ${code})`, new Error(this.#said))
  }

  /** It is not needed any more. */
  dismiss(): void {
    this.#process.kill('SIGKILL')
  }
}

/**
 * Sets the limits of what already runs below `pid`; what it starts later inherits them. Without the right to raise limits
 * (`mayRaise`), the own user itself may still lower its own.
 */
export async function changeRlimits(
  pid: number,
  identity: Identity,
  rlimits: Rlimits,
  mayRaise: boolean,
): Promise<void> {
  const change = words(
    `${program('prlimit')} --nofile=${rlimits.openFiles} --nproc=${rlimits.processes} --pid`,
  )
  const [first = '', ...rest] =
    identity.kind === 'own' && !mayRaise
      ? [
          ...words(`${program('setpriv')} --reuid ${identity.uid} --regid ${identity.uid} --clear-groups --`),
          ...change,
        ]
      : change
  const pids = descendants(pid, PROCESSES_IN_GENERIC_MAX).slice(1)
  await Promise.all(pids.map(each => command(first, [...rest, String(each)])))
}

function program(name: string): string {
  const path = findProgram(name)
  if (path === undefined) throw backendFailed(`${name} is not installed (package util-linux)`)
  return path
}
