export { ContainerBackend, type ContainerBackendOptions } from './backend.ts'
