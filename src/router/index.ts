export type { RouterLimits } from './limits.ts'
export type { RouterCounters, RouterLog } from './plane.ts'
export { createRouter, type Router, type RouterOptions } from './router.ts'
