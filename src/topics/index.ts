export { createTopics, type StoredTopics, type TopicsOptions } from './create.ts'
export { messageOfEvent } from './of-event.ts'
export * from './topics.ts'
