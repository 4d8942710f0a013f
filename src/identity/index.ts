import type { KeystoneIdentity, KeystoneParts } from './keystone/provider.ts'
import type { Registration } from './keystone/register.ts'

export { allowsRequest, SERVICES, type ServiceRequest } from './access-rules.ts'
export type { NewCredential } from './application-credentials.ts'
export { createEmbeddedIdentity } from './embedded.ts'
export { type CallTokens, functionTokens } from './function-tokens.ts'
export { holderOf } from './holder.ts'
export * from './identity.ts'
export type { Proof, Scope, TokenRequest } from './issuing.ts'
export type { HeldProject, HeldProjects, KeystoneIdentity } from './keystone/provider.ts'
export type { RegisteredService, Registration } from './keystone/register.ts'
export type { KeystoneSettings } from './keystone/settings.ts'
export type { UserReference } from './login.ts'
export type { Person, PersonChange } from './people.ts'
export type { Assignment, AssignmentId, Place } from './places.ts'
export { isRole, type ProjectReference, ROLES } from './roles.ts'
export {
  type ApplicationCredential,
  impliedRoles,
  principalOf,
  type Session,
  type StoredAccessRule,
  type Trust,
} from './session.ts'
export { GRACE_MS_MAX } from './sessions.ts'
export { hashToken } from './tokens.ts'

/** See `keystone/provider.ts`; loaded where it is wanted. */
export async function openKeystoneIdentity(parts: KeystoneParts): Promise<KeystoneIdentity> {
  const { createKeystoneIdentity } = await import('./keystone/provider.ts')
  return createKeystoneIdentity(parts)
}

/** See `keystone/register.ts`. */
export async function registerAtKeystone(
  registration: Registration,
  onStep: (text: string) => void,
): Promise<void> {
  const { register } = await import('./keystone/register.ts')
  await register(registration, onStep)
}
