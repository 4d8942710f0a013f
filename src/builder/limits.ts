import type { Limits } from '../core/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** What a package may be. Every number is checked while reading, never after. */
export interface PackageLimits {
  /** Bytes of the archive or file as it came. */
  readonly archiveBytesMax: number
  /** Bytes of all files unpacked. */
  readonly contentBytesMax: number
  /** Files and links. */
  readonly filesMax: number
  /** Entries of the archive, with those that are ignored. */
  readonly entriesMax: number
  readonly pathBytesMax: number
  readonly nameBytesMax: number
  /** Folders above a file. */
  readonly depthMax: number
  /** Unpacked bytes for each packed one; asked only once `ratioFreeBytes` are unpacked. */
  readonly ratioMax: number
  readonly ratioFreeBytes: number
}

export const PACKAGE_LIMITS_DEFAULT: PackageLimits = {
  archiveBytesMax: 256 * MIB,
  contentBytesMax: 1024 * MIB,
  filesMax: 50_000,
  entriesMax: 100_000,
  pathBytesMax: 1024,
  nameBytesMax: 255,
  depthMax: 64,
  ratioMax: 200,
  ratioFreeBytes: 32 * MIB,
}

/** What building may use. */
export interface BuildLimits {
  /** Builds at once; more wait. One project has at most all but one of them. */
  readonly buildsMax: number
  /** Builds that may wait, of one project a quarter; more are refused with UNAVAILABLE. */
  readonly waitingMax: number
  /** What each step runs with; `timeoutMs` holds for each step. */
  readonly step: Limits
  /** Bytes that the work folder may grow to. */
  readonly diskBytesMax: number
  /** Bytes of a build's log that are kept and streamed: the beginning and the end. */
  readonly logBytesMax: number
  /** Installed sets of dependencies that are kept for later builds, and for how long after their last use. */
  readonly cacheEntriesMax: number
  readonly cacheIdleMs: number
  /** What a compiler or package manager may remember for one project, and for how many (project, environment). */
  readonly toolCacheBytesMax: number
  readonly toolCachesMax: number
}

export const BUILD_LIMITS_DEFAULT: BuildLimits = {
  buildsMax: 3,
  waitingMax: 100,
  step: {
    memoryMiB: 1024,
    cpuMillicores: 2000,
    timeoutMs: 300_000,
    concurrency: 1,
    tmpMiB: 256,
    processesMax: 256,
    openFilesMax: 4096,
  },
  diskBytesMax: 2048 * MIB,
  logBytesMax: MIB,
  cacheEntriesMax: 500,
  cacheIdleMs: 14 * 24 * 3_600_000,
  toolCacheBytesMax: 1024 * MIB,
  toolCachesMax: 50,
}

/** Bytes as people read them: `256 MiB`. */
export function showBytes(bytes: number): string {
  if (bytes >= MIB) return `${Math.round(bytes / MIB)} MiB`
  return bytes >= KIB ? `${Math.round(bytes / KIB)} KiB` : `${bytes} bytes`
}
