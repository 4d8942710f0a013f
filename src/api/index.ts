export { createApi } from './api.ts'
export type { ApiLimits, ApiParts, CallsInUse, ServerStatus } from './parts.ts'
