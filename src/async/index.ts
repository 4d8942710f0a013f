export * from './async.ts'
export { createAsyncCalls } from './create.ts'
export type { AsyncLimits, AsyncOptions } from './options.ts'
export { deliverWebhook } from './webhook.ts'
