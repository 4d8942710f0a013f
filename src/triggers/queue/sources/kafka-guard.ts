import { isIP } from 'node:net'
import type { Connection } from '@platformatic/kafka'
import type { GuardedNetwork } from '../../../core/index.ts'

type Kafka = typeof import('@platformatic/kafka')

/** What each connection is given as its context. */
export interface Guard {
  readonly network: GuardedNetwork
  readonly encrypted: boolean
}

let guarded = false

/**
 * A cluster names its brokers itself, so their addresses are judged where the library connects: nothing else in it sees
 * them all. A connection without a guard is none of ours, and there are no others.
 */
export function guardConnections({ Connection }: Kafka): void {
  if (guarded) return
  guarded = true
  type Connect = (
    this: Connection,
    host: string,
    port: number,
    callback: (error: Error | null) => void,
  ) => unknown
  const prototype = Connection.prototype as unknown as { connect: Connect }
  const connect = prototype.connect
  prototype.connect = function (host, port, callback) {
    const { network, encrypted } = this.context as Guard
    // With TLS the name must stay, for the certificate: the guarded look-up judges it.
    const judged = encrypted && isIP(host) === 0 ? Promise.resolve(host) : network.resolve(host)
    judged.then(address => connect.call(this, address, port, callback), callback)
    return undefined
  }
}
