export * from './call.ts'
export { createInvoker, type InvokerOptions } from './create.ts'
