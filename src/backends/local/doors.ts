import type { Inside } from '../backend.ts'
import { Broker } from './broker.ts'
import { backendFailed } from './commands.ts'
import { enterInside } from './inside.ts'
import { NAME_SERVER, OutboundNetwork } from './network.ts'
import { openFilesHardLimit, startTime, userOf } from './procfs.ts'

/** What this machine can do with a process that others have put into namespaces: an engine's container. */
export class MachineDoors {
  readonly nameServer = NAME_SERVER
  readonly openFilesHard = openFilesHardLimit()
  readonly noSockets: string | undefined
  readonly noNetwork: string | undefined
  readonly #broker: Broker | undefined
  readonly #network: OutboundNetwork | undefined

  constructor() {
    const broker = Broker.find()
    const network = OutboundNetwork.find()
    this.#broker = 'reason' in broker ? undefined : broker
    this.noSockets = 'reason' in broker ? broker.reason : undefined
    this.#network = 'reason' in network ? undefined : network
    this.noNetwork = 'reason' in network ? network.reason : undefined
  }

  /** The sockets of process `pid`'s namespaces, by which it is known from now on; `undefined` when it is gone. */
  inside(pid: number): Inside | undefined {
    const since = startTime(pid)
    if (since === undefined) return undefined
    const isRoot = process.getuid?.() === 0
    const uid = isRoot ? userOf(pid) : undefined
    if (isRoot && uid === undefined) return undefined
    return enterInside(this.#broker, { pid, since, uid }, async () => {})
  }

  /** A way out for process `pid`; resolves when it is there. */
  async connect(pid: number): Promise<{ close(): void }> {
    if (this.#network === undefined) throw backendFailed(`there is no network: ${this.noNetwork}`)
    const isRoot = process.getuid?.() === 0
    return this.#network.connect(pid, isRoot ? { kind: 'own', uid: 0 } : { kind: 'mapped' })
  }

  close(): void {
    this.#broker?.close()
  }
}
