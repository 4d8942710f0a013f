export * from './call.ts'
export type { InvokerOptions } from './context.ts'
export { createInvoker, type RunningInvoker } from './create.ts'
