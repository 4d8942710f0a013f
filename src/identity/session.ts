import type { Principal, Role } from '../core/index.ts'
import type { AccessRule } from './access-rules.ts'

/** How somebody proved who they are; the words of Keystone v3. */
export type AuthMethod = 'password' | 'token' | 'application_credential'

/** All that a token stands for. A `Principal` is what of it the rest of the platform needs. */
export interface Session {
  readonly id: string
  /** The first session of those that were made from one another. */
  readonly chainId: string
  readonly methods: readonly AuthMethod[]
  /** For whom it acts. */
  readonly user: Named
  /** Without one it is good for nothing but to get one that has. */
  readonly project: Named | undefined
  /** As they were granted; see `impliedRoles`. */
  readonly roles: readonly Role[]
  readonly issuedAt: number
  readonly expiresAt: number
  readonly trust: Trust | undefined
  readonly credential: ApplicationCredential | undefined
}

export interface Named {
  readonly id: string
  readonly name: string
}

/** A user (the trustor) lets another (the trustee) act in a project, with some of the own roles there. */
export interface Trust {
  readonly id: string
  readonly trustorId: string
  readonly trusteeId: string
  readonly projectId: string
  /** Whether the trustee appears as the trustor. */
  readonly impersonation: boolean
  readonly roles: readonly Role[]
  /** How many tokens may still be made of it; `undefined`: any number. */
  readonly remainingUses: number | undefined
  readonly expiresAt: number | undefined
}

/** A second, smaller login of a user, for a program: one project, some of the user's roles there. */
export interface ApplicationCredential {
  readonly id: string
  readonly userId: string
  readonly projectId: string
  readonly name: string
  readonly description: string | undefined
  readonly roles: readonly Role[]
  /** Whether its tokens may make and delete other such credentials; `undefined` when it was not said, which is no. */
  readonly unrestricted: boolean | undefined
  readonly accessRules: readonly StoredAccessRule[] | undefined
  readonly expiresAt: number | undefined
}

/** A rule that is kept, by its id. */
export interface StoredAccessRule extends AccessRule {
  readonly id: string
}

/** Who may do what, in order: each role brings those after it. */
const LADDER: readonly Role[] = ['admin', 'member', 'reader']

/** The roles, and those that they bring with them: who is `admin` is `member` and `reader` too. */
export function impliedRoles(roles: readonly Role[]): readonly Role[] {
  const highest = LADDER.findIndex(role => roles.includes(role))
  const implied = highest < 0 ? [] : LADDER.slice(highest)
  return [...implied, ...roles.filter(role => !LADDER.includes(role))]
}

/** `undefined` for a session without a project. */
export function principalOf(session: Session): Principal | undefined {
  const { user, project, roles, expiresAt, trust, credential } = session
  if (!project) return undefined
  const principal = {
    userId: user.id,
    userName: user.name,
    projectId: project.id,
    projectName: project.name,
    roles,
    expiresAt,
  }
  if (trust) return { ...principal, delegation: { kind: 'trust', id: trust.id } }
  if (!credential) return principal
  return { ...principal, delegation: { kind: 'application-credential', id: credential.id } }
}
