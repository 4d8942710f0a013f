import type { BenchBroker } from './broker.ts'
import { kafka } from './kafka.ts'
import { mqtt } from './mqtt.ts'
import { nats } from './nats.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'

/** All there are, in the order in which they are measured. */
export const BROKERS: readonly BenchBroker[] = [nats, rabbitmq, kafka, mqtt, redis]
