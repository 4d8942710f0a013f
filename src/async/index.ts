export * from './async.ts'
export { createAsyncCalls } from './create.ts'
export { ASYNC_LIMITS_DEFAULT, type AsyncLimits, type AsyncOptions } from './options.ts'
export { deliverWebhook, mayBeSentTo } from './webhook.ts'
