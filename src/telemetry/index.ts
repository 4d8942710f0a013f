export * from './telemetry.ts'
