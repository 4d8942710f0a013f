import { LIMITS_DEFAULT, type Limits } from '../../core/index.ts'
import type { Mount, Rlimits } from './launcher.ts'

/** Where the code is. In a generic sandbox all bundles wait there, until one is mounted over the rest. */
export const FUNCTION_TARGET = '/function'
export const WORK_TARGET = '/work'

const MIB = 1024 * 1024
const SHM_BYTES_MAX = 16 * MIB // POSIX shared memory and semaphores: enough for multiprocessing, counted as memory too
const SCAFFOLD_BYTES_MAX = 256 * 1024 // /dev itself and the mount points: names only
const FILES_ENOUGH_FOR_ANY_SHIM = 64

/** What of the host is shown; found once when the backend opens, since a host does not move its /usr. */
export interface HostSystem {
  /** `/bin`, `/lib`, `/lib64`, `/sbin`: links into /usr on a merged host, folders on others. */
  readonly roots: readonly { readonly target: string; readonly linkTo: string | undefined }[]
  /** Folder with the made-up /etc. */
  readonly etcPath: string
  /** Folders of certificates shown over the made-up /etc. */
  readonly certificatePaths: readonly string[]
}

export type Content =
  | { readonly kind: 'generic'; readonly bundlesPath: string }
  | { readonly kind: 'function'; readonly bundlePath: string }
  | { readonly kind: 'work'; readonly workPath: string }

/** The file system of a sandbox: the system read-only, a private bounded /tmp, and its content. */
export function sandboxMounts(
  host: HostSystem,
  content: Content,
  extra: readonly { readonly source: string; readonly target: string; readonly writable?: boolean }[],
  tmpMiB: number,
  links: readonly { readonly path: string; readonly target: string }[] = [],
): Mount[] {
  return [
    { kind: 'bind', source: '/usr', target: '/usr', writable: false },
    ...host.roots.map(
      ({ target, linkTo }): Mount =>
        linkTo === undefined
          ? { kind: 'bind', source: target, target, writable: false }
          : { kind: 'symlink', source: linkTo, target },
    ),
    { kind: 'bind', source: host.etcPath, target: '/etc', writable: false },
    ...host.certificatePaths.map(
      (path): Mount => ({ kind: 'bind', source: path, target: path, writable: false }),
    ),
    { kind: 'proc', target: '/proc' },
    // Made by hand, without terminals: nothing inside has one, and a second user namespace would be needed for them.
    { kind: 'tmpfs', target: '/dev', bytesMax: SCAFFOLD_BYTES_MAX, mode: 0o755 },
    ...['null', 'zero', 'full', 'random', 'urandom'].map(
      (name): Mount => ({ kind: 'device', target: `/dev/${name}` }),
    ),
    { kind: 'symlink', source: '/proc/self/fd', target: '/dev/fd' },
    { kind: 'symlink', source: '/proc/self/fd/0', target: '/dev/stdin' },
    { kind: 'symlink', source: '/proc/self/fd/1', target: '/dev/stdout' },
    { kind: 'symlink', source: '/proc/self/fd/2', target: '/dev/stderr' },
    { kind: 'tmpfs', target: '/dev/shm', bytesMax: SHM_BYTES_MAX, mode: 0o1777 },
    { kind: 'seal', target: '/dev' },
    { kind: 'tmpfs', target: '/tmp', bytesMax: tmpMiB * MIB, mode: 0o1777 },
    ...contentMounts(content),
    ...extra.map(
      ({ source, target, writable }): Mount => ({
        kind: 'bind',
        source,
        target,
        writable: writable ?? false,
      }),
    ),
    ...links.map(({ path, target }): Mount => ({ kind: 'symlink', source: target, target: path })),
    { kind: 'seal', target: '/' },
  ]
}

function contentMounts(content: Content): Mount[] {
  switch (content.kind) {
    case 'generic':
      return [{ kind: 'bind', source: content.bundlesPath, target: FUNCTION_TARGET, writable: false }]
    case 'function':
      return [{ kind: 'bind', source: content.bundlePath, target: FUNCTION_TARGET, writable: false }]
    case 'work':
      return [{ kind: 'bind', source: content.workPath, target: WORK_TARGET, writable: true }]
  }
}

/** The environment inside: what the caller says over the few names every program expects. */
export function sandboxEnv(env: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', ...env }
}

/** What a generic sandbox starts with: where most versions end, so that nothing is left to change. */
export function genericRlimits(openFilesHard: number): Rlimits {
  return rlimitsFor(LIMITS_DEFAULT, openFilesHard)
}

/** A version's limits as rlimits, never above what this process may give (`openFilesHard`). */
export function rlimitsFor(limits: Limits, openFilesHard: number, fileBytes?: number): Rlimits {
  return {
    openFiles: Math.min(Math.max(limits.openFilesMax, FILES_ENOUGH_FOR_ANY_SHIM), openFilesHard),
    processes: limits.processesMax,
    fileBytes,
  }
}
