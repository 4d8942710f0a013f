export { createEmbeddedIdentity } from './embedded.ts'
export * from './identity.ts'
