/** The kernel's accounts and limits for one sandbox. */
export interface Cgroup {
  /** Moves a process in; what it starts from then on is in as well. */
  add(pid: number): void
  /** Sets every limit; may be called again with others. Throws when memory is already above the new limit. */
  limit(limits: CgroupLimits): void
  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number }
  resetPeak(): void
  /** Whether the kernel has killed something in it for its memory. */
  outOfMemory(): boolean
  processes(): number[]
  /** Kills all that is in it, however it forks, and removes it. Safe to call twice. */
  remove(): Promise<void>
}

export interface CgroupLimits {
  readonly memoryBytes: number
  /** `undefined`: no limit. */
  readonly cpuMillicores: number | undefined
  /** Processes and threads together. */
  readonly tasks: number
}

/** A place in the cgroup file system that is ours to fill. */
export interface CgroupTree {
  readonly version: 1 | 2
  readonly controllers: ReadonlySet<'memory' | 'pids' | 'cpu'>
  create(id: string): Cgroup
  /** Names of the groups that exist, whoever made them. */
  list(): string[]
  /** The group `id`, to remove it. */
  open(id: string): Cgroup
  /** Removes our own folder when nothing is left in it. */
  close(): void
}
