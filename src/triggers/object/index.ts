export { createObjectKind } from './kind.ts'
