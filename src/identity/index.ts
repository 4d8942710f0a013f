export { allowsRequest, SERVICES, type ServiceRequest } from './access-rules.ts'
export type { NewCredential } from './application-credentials.ts'
export { createEmbeddedIdentity } from './embedded.ts'
export * from './identity.ts'
export type { Proof, Scope, TokenRequest } from './issuing.ts'
export type { UserReference } from './login.ts'
export type { Person, PersonChange } from './people.ts'
export type { Assignment, AssignmentId, Place } from './places.ts'
export { isRole, ROLES } from './roles.ts'
export {
  type ApplicationCredential,
  impliedRoles,
  principalOf,
  type Session,
  type StoredAccessRule,
  type Trust,
} from './session.ts'
export { GRACE_MS_MAX } from './sessions.ts'
