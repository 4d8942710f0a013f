export { mountIdentityApi } from './identity-api.ts'
export type { CatalogueService, IdentityApiParts } from './parts.ts'
