import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { type ControlPlane, openSecretKeys, type SecretKeys } from '../control/index.ts'
import type { EmbeddedIdentity } from '../identity/index.ts'
import { hasAgreedKey, type Nodes, openNodes, otherKey } from '../nodes/index.ts'
import { lockFile, type Store } from '../store/index.ts'
import type { Triggers } from '../triggers/index.ts'
import { isAnyHost, urlOf } from './own-urls.ts'
import type { Site } from './site.ts'

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
export async function openMembership(site: Site, store: Store): Promise<Membership> {
  const { home, clock, version, onProblem } = site
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
      onProblem,
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

/** From now on this server takes in what the others have changed, and does what only one may when it leads. */
export function followNodes(
  nodes: Nodes,
  parts: {
    /** The identity, when it is our own. */
    readonly embedded: EmbeddedIdentity | undefined
    readonly control: ControlPlane
    readonly triggers: Triggers
  },
  { onProblem }: Pick<Site, 'onProblem'>,
): void {
  const { embedded, control, triggers } = parts
  nodes.follow({
    async onNews(news) {
      if (news.missed || news.notes.some(note => note.rights)) embedded?.forgetAll()
      await control.refresh(news)
    },
    onLead: () => {
      triggers.lead().catch((error: unknown) => onProblem('triggers could not be taken over', error))
    },
  })
}

/** Where other nodes reach an API that listens there: on all addresses means on the first that others can reach. */
export function nodeUrlOf(scheme: 'http' | 'https', host: string, port: number): string {
  const first = Object.values(networkInterfaces())
    .flat()
    .find(each => each && !each.internal && each.family === 'IPv4')
  return urlOf(scheme, isAnyHost(host) ? (first?.address ?? '127.0.0.1') : host, port)
}
