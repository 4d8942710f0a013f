export { createApi } from './api.ts'
export type { ApiLimits, ApiParts, ServerStatus } from './parts.ts'
