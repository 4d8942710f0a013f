import type { Inside } from '../backend.ts'

/** The ways into and out of a process's namespaces, which this backend is given: containers have none of their own. */
export interface Doors {
  /** Address at which names are looked up where there is a way out. */
  readonly nameServer: string
  /** The most open files that this server may give to anybody. */
  readonly openFilesHard: number
  /** Why nobody can be connected to inside, where that is so. */
  readonly noSockets: string | undefined
  /** Why there is no way out to the network, where that is so. */
  readonly noNetwork: string | undefined
  /** `undefined` when the process is gone. */
  inside(pid: number): Inside | undefined
  /** Gives the process's network namespace a way out; resolves when it is there. */
  connect(pid: number): Promise<{ close(): void }>
  close(): void
}
