export { ContainerBackend, type ContainerBackendOptions } from './backend.ts'
export { lookForEngine } from './look.ts'
