import { randomBytes } from 'node:crypto'
import { AtelierError, type Clock, newId } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import { insertUser } from './accounts.ts'
import type { Lending } from './identity.ts'
import type { Passwords } from './passwords.ts'
import type { Db } from './roles.ts'
import { type IssuedSession, type NewSession, readSession } from './sessions.ts'
import { trustById } from './trust-rows.ts'
import type { Trusts } from './trusts.ts'

/** The user that roles are lent to. Nobody knows its password. */
const BORROWER = 'atelier-functions'
const TTL_MS = 3_600_000

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly passwords: Passwords
  readonly trusts: Pick<Trusts, 'createTrust'>
  begin(input: NewSession): Promise<IssuedSession>
  readonly forgetDelegation: (id: string) => void
}

/** Lending within our own store: a trust like any other, to a user that is this server's. */
export function embeddedLending(parts: Parts): Lending {
  const { store, clock, passwords, trusts, begin, forgetDelegation } = parts

  async function borrowerId(): Promise<string> {
    const known = await findBorrower(store.db)
    if (known) return known.id
    const passwordHash = await passwords.hash(randomBytes(32).toString('base64url'))
    const now = clock.now()
    const row = { id: newId(now), name: BORROWER, password_hash: passwordHash, enabled: 1, created_at: now }
    return store.transaction(async tx => {
      const meanwhile = await findBorrower(tx)
      if (!meanwhile) await insertUser(tx, row)
      return meanwhile?.id ?? row.id
    })
  }

  /** A trust that was lent here, and is good. */
  async function find(trustId: string) {
    const trust = await trustById(store.db, trustId, clock.now())
    return trust?.trusteeId === (await borrowerId()) ? trust : undefined
  }

  return {
    async lend(token, projectId, roles) {
      const session = await readSession(store.db, token, clock.now())
      if (!session)
        throw new AtelierError('UNAUTHENTICATED', 'The token is not valid, or no longer: log in again.')
      const trust = await trusts.createTrust(session, {
        trustorId: session.user.id,
        trusteeId: await borrowerId(),
        projectId,
        impersonation: true,
        roles,
        expiresAt: undefined,
        remainingUses: undefined,
      })
      return trust.id
    },

    isLent: async trustId => (await find(trustId)) !== undefined,

    async borrow(trustId) {
      const trust = await find(trustId)
      if (!trust) throw trustEnded()
      const issued = await begin({
        userId: trust.trustorId,
        provenBy: trust.trustorId,
        projectId: trust.projectId,
        trustId,
        methods: ['token'],
        expiresAt: clock.now() + TTL_MS,
        stillHolds: async tx => (await trustById(tx, trustId, clock.now())) !== undefined,
      }).catch((error: unknown) => {
        // A role that it stands on was taken away.
        if (error instanceof AtelierError && error.code === 'UNAUTHENTICATED') throw trustEnded()
        throw error
      })
      return { token: issued.token, expiresAt: issued.session.expiresAt }
    },

    async giveBack(trustId) {
      const trustee = await borrowerId()
      await store.db
        .deleteFrom('trusts')
        .where('id', '=', trustId)
        .where('trustee_id', '=', trustee)
        .execute()
      forgetDelegation(trustId)
    },
  }
}

/** Throwable where a trust is no longer good. */
export function trustEnded(): AtelierError {
  return new AtelierError(
    'FORBIDDEN',
    'What was lent to the function has ended: the role, the user or the trust is gone. Deploy it again.',
  )
}

function findBorrower(db: Db) {
  return db.selectFrom('users').select('id').where('name', '=', BORROWER).executeTakeFirst()
}
