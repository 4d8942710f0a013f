import type { Clock, TokenGrant } from '../core/index.ts'
import type { Borrowed, Lending } from './identity.ts'

const ENTRIES_MAX = 10_000
/** A token is handed out for so long: one that was revoked since is not given to calls for ever. */
const REUSED_MS = 5 * 60_000
/** How much longer than the call it must last. */
const SPARE_MS = 30_000

/** Tokens for calls, as header fields. */
export interface CallTokens {
  /** At once, when there is one that lasts until then. */
  ready(grant: TokenGrant, projectId: string, untilMs: number): readonly string[] | undefined
  /** A new one. Rejects with FORBIDDEN when the trust has ended, UNAVAILABLE when the identity service cannot be asked. */
  get(grant: TokenGrant, projectId: string): Promise<readonly string[]>
}

interface Held extends Borrowed {
  readonly takenAt: number
}

/** Keeps the last token of each trust, and has a new one made in time. `ownAuthUrl`: where this server speaks Keystone v3. */
export function functionTokens({
  lending,
  clock,
  ownAuthUrl,
}: {
  readonly lending: Lending
  readonly clock: Clock
  readonly ownAuthUrl: () => string
}): CallTokens {
  const held = new Map<string, Held>()
  const asking = new Map<string, Promise<Held>>()

  const fieldsOf = ({ token }: Held, projectId: string): readonly string[] => [
    'atelier-auth-token',
    token,
    'atelier-auth-url',
    lending.authUrl ?? ownAuthUrl(),
    'atelier-project-id',
    projectId,
  ]

  async function take(trustId: string): Promise<Held> {
    const takenAt = clock.now()
    const taken = { ...(await lending.borrow(trustId)), takenAt }
    held.delete(trustId)
    const [oldest] = held.keys()
    if (held.size >= ENTRIES_MAX && oldest !== undefined) held.delete(oldest)
    held.set(trustId, taken)
    return taken
  }

  return {
    ready({ trustId }, projectId, untilMs) {
      const known = held.get(trustId)
      if (!known || clock.now() >= known.takenAt + REUSED_MS || known.expiresAt < untilMs + SPARE_MS)
        return undefined
      return fieldsOf(known, projectId)
    },
    async get({ trustId }, projectId) {
      const underWay = asking.get(trustId) ?? take(trustId).finally(() => asking.delete(trustId))
      asking.set(trustId, underWay)
      return fieldsOf(await underWay, projectId)
    },
  }
}
