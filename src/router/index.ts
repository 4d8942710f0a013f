export { createRouter, type Router, type RouterOptions } from './router.ts'
export { ROUTER_LIMITS_DEFAULT, type RouterLimits } from './limits.ts'
export type { RouterCounters, RouterLog } from './plane.ts'
