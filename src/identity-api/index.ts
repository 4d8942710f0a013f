export { mountIdentityApi } from './identity-api.ts'
export type { IdentityApiParts } from './parts.ts'
