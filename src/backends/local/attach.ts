import { relative } from 'node:path'
import { backendFailed, command, findProgram, words } from './commands.ts'
import type { Identity, Rlimits } from './launcher.ts'
import { BUNDLES_TARGET, FUNCTION_TARGET } from './policy.ts'
import { descendants } from './procfs.ts'

const PROCESSES_IN_GENERIC_MAX = 64

/**
 * Shows one bundle in a generic sandbox and hides all others, from outside. It runs in the sandbox's mount namespace with
 * rights that nobody inside has, so it cannot be undone there. No code of a tenant may have run before. All in one
 * process, as each costs a millisecond; `$1` is the bundle, `$2` the size of /tmp where that changes.
 */
const SCRIPT = `set -e
mount --no-canonicalize --bind "${BUNDLES_TARGET}/$1" ${FUNCTION_TARGET}
mount --no-canonicalize -t tmpfs -o ro,nosuid,nodev,noexec,size=4k,mode=000 none ${BUNDLES_TARGET}
if [ -n "$2" ]; then mount --no-canonicalize -o "remount,nosuid,nodev,size=$2" /tmp; fi`

/** Gives the held-in generic sandbox of `pid` its bundle. Rejects with BACKEND_FAILED; then the sandbox is of no use. */
export async function attachBundle(
  pid: number,
  identity: Identity,
  options: {
    readonly bundlesPath: string
    readonly bundlePath: string
    readonly tmpBytes: number | undefined
  },
): Promise<void> {
  const name = relative(options.bundlesPath, options.bundlePath)
  if (name === '' || name.startsWith('..') || name.startsWith('/'))
    throw backendFailed(`the bundle ${options.bundlePath} is not below ${options.bundlesPath}`)
  const user = identity.kind === 'mapped' ? ['-U', '--preserve-credentials'] : []
  await command(program('nsenter'), [
    '-t',
    String(pid),
    ...user,
    '-m',
    '--',
    '/bin/sh',
    '-c',
    SCRIPT,
    'attach',
    name,
    options.tmpBytes === undefined ? '' : String(options.tmpBytes),
  ])
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
