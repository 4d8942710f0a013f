export type { RouterLimits } from './limits.ts'
export { createNodeFront } from './node/front.ts'
export { createRouter, type Router } from './router.ts'
