export type { Encrypt } from './front.ts'
export type { HookReceiver } from './hook-call.ts'
export type { RouterLimits } from './limits.ts'
export { createRouter, type Router } from './router.ts'
