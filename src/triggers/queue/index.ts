export { createQueueKind } from './kind.ts'
