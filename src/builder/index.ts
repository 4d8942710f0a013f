export * from './build.ts'
