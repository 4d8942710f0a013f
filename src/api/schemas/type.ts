export type { Static, TObject, TProperties, TSchema, TUnsafe } from 'typebox'
export { Type } from '../../core/index.ts'
