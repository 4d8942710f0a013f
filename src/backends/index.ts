export * from './backend.ts'
export * from './fake/index.ts'
