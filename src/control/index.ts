export type { ControlOptions } from './context.ts'
export * from './control.ts'
export { type ControlPlane, createControl } from './create.ts'
export { openSecretKeys } from './sealing.ts'
