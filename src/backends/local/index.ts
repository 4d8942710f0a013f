export { type LocalBackendOptions, openLocalBackend } from './backend.ts'
