import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Capabilities } from '../backend.ts'
import type { CgroupLimits } from './cgroup/cgroup.ts'
import { backendFailed, rootCause } from './commands.ts'
import { findGvisor, GvisorLauncher, PLATFORMS, type Platform } from './gvisor.ts'
import type { Launcher } from './launcher.ts'

const MIB = 1024 * 1024
/** What gVisor's own processes may take beside the code: they need 20 to 40 MiB, and more while much is open. */
const OWN_MEMORY_MIB = 96
/** Its threads, and for each process of the code those that run it on the machine. */
const OWN_TASKS = 192
const TASKS_PER_PROCESS = 6

/** What the tier `gvisor` needs of the backend. */
export interface GvisorParts {
  readonly runPath: string
  readonly bundlesPath: string
  /** Why there can be no sandbox at all. */
  readonly unsandboxed: string | undefined
  /** Starts a sandbox with it; rejects when that does not work. */
  works(launcher: Launcher): Promise<void>
}

/**
 * The tier `gvisor` of this machine. Nothing is tried before somebody asks: a trial costs a third of a second, and most
 * servers never need it.
 */
export class GvisorTier {
  readonly #parts: GvisorParts
  readonly #found: ReturnType<typeof findGvisor>
  #trial: Promise<Launcher> | undefined
  #platform: Platform | undefined
  #reason: string | undefined

  constructor(parts: GvisorParts) {
    this.#parts = parts
    this.#found = findGvisor()
    if (parts.unsandboxed !== undefined) this.#reason = parts.unsandboxed
    else if ('reason' in this.#found) this.#reason = this.#found.reason
  }

  /** What starts its sandboxes. Rejects with BACKEND_FAILED that says what is missing. */
  launcher(): Promise<Launcher> {
    return (this.#trial ??= this.#try())
  }

  /** What it promises where the usual tier promises `usual`. */
  capabilities(usual: Capabilities): Capabilities {
    return {
      ...usual,
      tier: 'gvisor',
      notes: [this.note(), 'Its network is the one that the kernel gives the sandbox, not gVisor’s own.'],
      seccomp: true,
    }
  }

  /** For people, in one line: whether functions can have this tier. */
  note(): string {
    if (this.#reason !== undefined) return `No functions with isolation gvisor: ${this.#reason}.`
    if (this.#platform === undefined)
      return 'Functions with isolation gvisor: runsc is installed, and is tried when the first one asks for it.'
    return `Functions with isolation gvisor run in gVisor (runsc, platform ${this.#platform}), inside namespaces and a user of its own.`
  }

  async #try(): Promise<Launcher> {
    const found = this.#found
    if (this.#reason !== undefined || 'reason' in found)
      throw backendFailed(`gVisor cannot be used: ${this.#reason}`)
    const root = join(this.#parts.runPath, 'gvisor')
    mkdirSync(root, { recursive: true })
    const reasons: string[] = []
    for (const platform of PLATFORMS) {
      const launcher = new GvisorLauncher(found, platform, root, this.#parts.bundlesPath)
      try {
        await this.#parts.works(launcher)
        this.#platform = platform
        return launcher
      } catch (error) {
        reasons.push(`platform ${platform}: ${rootCause(error)}`)
      }
    }
    this.#reason = `a trial sandbox failed (${reasons.join('; ')})`
    throw backendFailed(`gVisor cannot be used: ${this.#reason}`)
  }
}

/** The limits of a sandbox of which gVisor itself is a part. */
export function withGvisor(limits: CgroupLimits): CgroupLimits {
  return {
    ...limits,
    memoryBytes: limits.memoryBytes + OWN_MEMORY_MIB * MIB,
    tasks: limits.tasks * TASKS_PER_PROCESS + OWN_TASKS,
  }
}
