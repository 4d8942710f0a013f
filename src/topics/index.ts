export { createTopics, type TopicsOptions } from './create.ts'
export { messageOfEvent } from './of-event.ts'
export * from './topics.ts'
