export { createPool } from './create.ts'
export type { PoolEnvironment, PoolLimits, PoolPolicy } from './options.ts'
export * from './pool.ts'
