import type { Principal, Role } from '../core/index.ts'

/** Who calls. Three providers stand behind it: embedded here; Keystone and OpenNebula come later. */
export interface IdentityProvider {
  readonly name: string
  /** The principal behind a token. Rejects with UNAUTHENTICATED; with UNAVAILABLE when the provider cannot be asked. */
  authenticate(token: string): Promise<Principal>
  /**
   * The principal from the cache, or `undefined` when it must be asked for. Synchronous, for the data plane; never
   * answers past the token's expiry.
   */
  cached(token: string): Principal | undefined
}

/** The provider that keeps users in our own store. Every method but `login` needs an operator or the user itself. */
export interface EmbeddedIdentity extends IdentityProvider {
  /** A token for a user in one project. Rejects with UNAUTHENTICATED without telling which part was wrong. */
  login(input: { user: string; password: string; project?: string; ttlMs?: number }): Promise<IssuedToken>
  revoke(token: string): Promise<void>

  createUser(by: Principal, input: { name: string; password: string }): Promise<User>
  listUsers(by: Principal): Promise<readonly User[]>
  deleteUser(by: Principal, name: string): Promise<void>
  setPassword(by: Principal, name: string, password: string): Promise<void>
  grant(by: Principal, input: { user: string; project: string; role: Role }): Promise<void>
  ungrant(by: Principal, input: { user: string; project: string; role: Role }): Promise<void>
  listGrants(by: Principal, project: string): Promise<readonly Grant[]>
}

export interface User {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly createdAt: number
}

export interface Grant {
  readonly user: string
  readonly project: string
  readonly role: Role
}

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
}

/** The policy, whole: whether this principal may do `action` in its own project. */
export function may(principal: Principal, action: Action): boolean {
  return principal.roles.some(role => ALLOWED[role].includes(action))
}
