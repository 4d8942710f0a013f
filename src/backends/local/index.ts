export type { LocalBackendOptions } from './backend.ts'
export { MachineDoors } from './doors.ts'
export { openLocalBackend } from './open.ts'
