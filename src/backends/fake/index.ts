export { FakeBackend, type FakeKnobs, FakeSandbox } from './backend.ts'
