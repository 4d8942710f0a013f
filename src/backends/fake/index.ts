export { FakeBackend, type FakeKnobs } from './backend.ts'
