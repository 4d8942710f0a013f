export { createPool } from './create.ts'
export type { PoolEnvironment, PoolLimits, PoolOptions, PoolPolicy } from './options.ts'
export * from './pool.ts'
