export * from './build.ts'
export { type BuilderOptions, createBuilder, type OwnedBuilder } from './builder.ts'
