export * from './call.ts'
export { createInvoker, type InvokerOptions, type RunningInvoker } from './create.ts'
