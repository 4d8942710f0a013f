import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { openSecretKeys, type SecretKeys } from '../control/index.ts'
import type { Clock } from '../core/index.ts'
import { hasAgreedKey, type Nodes, openNodes, otherKey } from '../nodes/index.ts'
import { lockFile, type Store } from '../store/index.ts'
import type { Home } from './home.ts'
import type { ServerLog } from './log.ts'

interface Membership {
  readonly secretsKey: SecretKeys
  /** Absent where the database is a file, which is one server's alone. */
  readonly nodes: Nodes | undefined
  close(): Promise<void>
}

/**
 * The keys of the secrets, and the other servers on the same database, which must have the same. Rejects with INVALID_INPUT when they
 * have others, and with UNAVAILABLE when another server uses the data directory.
 */
export async function openMembership(parts: {
  readonly store: Store
  readonly home: Home
  readonly clock: Clock
  readonly version: string
  readonly log: ServerLog
}): Promise<Membership> {
  const { store, home, clock, version, log } = parts
  const secretsPath = home.secretKeyPath
  if (store.dialect === 'sqlite')
    return { secretsKey: await openSecretKeys(secretsPath), nodes: undefined, close: async () => {} }
  const unlock = lockFile(home.databasePath) // as the database there would be
  try {
    // Before one is made here that nobody else has.
    if (!existsSync(secretsPath) && (await hasAgreedKey(store))) throw otherKey(secretsPath)
    const secretsKey = await openSecretKeys(secretsPath)
    const nodes = await openNodes({
      store,
      clock,
      version,
      secrets: [...secretsKey.values()],
      secretsPath,
      onProblem: (message, cause) => log.error({ err: cause }, message),
    })
    return {
      secretsKey,
      nodes,
      async close() {
        await nodes.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** Where other nodes reach an API that listens there: on all addresses means on the first that others can reach. */
export function nodeUrlOf(scheme: 'http' | 'https', host: string, port: number): string {
  const isAny = host === '0.0.0.0' || host === '::'
  const first = Object.values(networkInterfaces())
    .flat()
    .find(each => each && !each.internal && each.family === 'IPv4')
  const shown = isAny ? (first?.address ?? '127.0.0.1') : host
  return `${scheme}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}
