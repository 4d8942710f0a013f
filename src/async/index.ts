export * from './async.ts'
