import type { Principal, Role } from '../core/index.ts'
import type { ServiceRequest } from './access-rules.ts'
import type { Directory } from './directory.ts'
import type { ProjectReference } from './roles.ts'

/**
 * Who calls: all that the API, the router and the dialects know of identity. Behind it stands our own store (`EmbeddedIdentity`), or
 * a service that others run. What can be managed here besides is apart: `Sessions`, `UserManagement`.
 */
export interface IdentityProvider {
  readonly name: string
  /**
   * The principal behind a token. Rejects with UNAUTHENTICATED; with UNAVAILABLE when the provider cannot be asked. A token with access rules
   * is good for the requests that they name: who does not say the `request` is told that it is not valid.
   */
  authenticate(token: string, request?: ServiceRequest): Promise<Principal>
  /**
   * The principal from the cache, or `undefined` when it must be asked for. Synchronous, for the data plane; never
   * answers past the token's expiry, nor for a token with access rules. `hash`: its `hashToken`, of who keeps it for the next request.
   */
  cached(token: string, hash?: string): Principal | undefined
  /**
   * The same user in another project: operators in any, others where they have a role. Else NOT_FOUND. `token` is what the principal came
   * by: Keystone is shown it again.
   */
  principalFor(principal: Principal, project: ProjectReference, token: string): Promise<Principal>
  /** Forgets what is cached of a project that was changed or deleted. */
  forgetProject(projectId: string): void
  /** Tokens for functions; without it there are none. */
  readonly lending?: Lending
}

/**
 * Roles of a user in a project, lent to this server by a trust, so that functions act there with tokens of their own: no password is in
 * them, and they end with the trust.
 */
export interface Lending {
  /** Where the tokens are known, as `OS_AUTH_URL`; absent: here. */
  readonly authUrl?: string
  /**
   * Resolves with the trust's id. `token` is the lender's own. Rejects with NOT_FOUND for a role that it has not in the project, FORBIDDEN for
   * a token that was lent itself.
   */
  lend(token: string, projectId: string, roles: readonly string[]): Promise<string>
  /** Whether the trust is still good. */
  isLent(trustId: string): Promise<boolean>
  /** A new token by the trust. Rejects with FORBIDDEN when it has ended. */
  borrow(trustId: string): Promise<Borrowed>
  /** Ends the trust, and with it its tokens; nothing when it has ended. */
  giveBack(trustId: string): Promise<void>
}

/** A token of somebody who lent some of their roles. */
export interface Borrowed {
  readonly token: string
  /** Epoch ms. */
  readonly expiresAt: number
}

/** Logging in and out, where a provider takes passwords itself. */
export interface Sessions {
  /**
   * A token for a user in one project (default: `default`, else the first by name). Rejects with UNAUTHENTICATED without
   * telling which part was wrong, and with TOO_MANY_REQUESTS after failures in a row.
   */
  login(input: LoginInput): Promise<IssuedToken>
  revoke(token: string): Promise<void>
}

/** Users and their roles, where a provider keeps them itself. All of it needs an operator: else FORBIDDEN. */
export interface UserManagement {
  createUser(by: Principal, input: { name: string; password: string }): Promise<User>
  getUser(by: Principal, name: string): Promise<User>
  /** At most `count`, by name, those whose name comes after `after`. */
  listUsers(by: Principal, count?: number, after?: string): Promise<readonly User[]>
  /** With all its grants and tokens. CONFLICT for the last operator. */
  deleteUser(by: Principal, name: string): Promise<void>
  /** Ends every session of the user. Everybody may set their own. */
  setPassword(by: Principal, name: string, password: string): Promise<void>
  grant(by: Principal, input: Grant): Promise<void>
  /** CONFLICT when it would leave the platform without an operator. */
  ungrant(by: Principal, input: Grant): Promise<void>
  listGrants(by: Principal, project: string): Promise<readonly Grant[]>
}

/** The provider that keeps users in our own store. */
export interface EmbeddedIdentity extends IdentityProvider, Sessions, UserManagement {
  readonly lending: Lending
  /**
   * Makes project `default` and user `admin` with a random password when there is no user yet. `save` gets the login
   * before anything is stored: a crash in between leaves a file to overwrite, not a platform that nobody can enter.
   * Resolves with whether it was the first start.
   */
  bootstrap(save: (login: FirstLogin) => Promise<void>): Promise<boolean>
  /** Forgets all that is cached: another node has changed who may do what. */
  forgetAll(): void
  /** All of it by id, as Keystone v3 speaks of it. */
  readonly directory: Directory
}

/** The administrator that a new installation has. */
export interface FirstLogin {
  readonly user: string
  readonly password: string
  readonly project: string
}

/** A login by name. Without a project: `default`, or else the first that the user has a role in. */
export interface LoginInput {
  readonly user: string
  readonly password: string
  readonly project?: string
  /** How long the token lives, a minute to a year. @default 24 hours */
  readonly ttlMs?: number
  /** Where the caller is, for the throttle: one address's failures then do not keep others out. */
  readonly client?: string
}

/** Somebody who may log in; `createdAt` is epoch ms. */
export interface User {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly createdAt: number
}

/** What a user may do in a project, all by name. */
export interface Grant {
  readonly user: string
  readonly project: string
  readonly role: Role
}

/** A token, and who has it. */
export interface IssuedToken {
  /** Shown once; only its hash is stored. */
  readonly token: string
  readonly principal: Principal
}

/** What a role may do. `admin` may do everything in every project; the rest in their own. */
export type Action = 'read' | 'write' | 'invoke' | 'operate'

const ALLOWED: Record<Role, readonly Action[]> = {
  reader: ['read'],
  member: ['read', 'write', 'invoke'],
  admin: ['read', 'write', 'invoke', 'operate'],
  service: [],
}

/** The policy, whole: whether this principal may do `action` in its own project. */
export function may(principal: Principal, action: Action): boolean {
  return principal.roles.some(role => ALLOWED[role].includes(action))
}
