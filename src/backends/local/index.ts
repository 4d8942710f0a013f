export type { LocalBackendOptions } from './backend.ts'
export { openLocalBackend } from './open.ts'
