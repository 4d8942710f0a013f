export * from './backend.ts'
export * from './fake/index.ts'
export * from './local/index.ts'
