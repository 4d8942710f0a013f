import { filterErrors } from '../../cloudevents/index.ts'
import {
  type AddressPolicy,
  AtelierError,
  type EventTrigger,
  type GuardedNetwork,
  newId,
} from '../../core/index.ts'
import type { Topics } from '../../topics/index.ts'
import type { RunningTrigger, TriggerEvent, TriggerKind } from '../kind.ts'
import { checkQueueConfig, type QueueConfig } from './config.ts'
import { createSourceNetwork } from './network.ts'
import { startReader } from './reader.ts'
import { queueConfigSchema } from './schema.ts'
import type { BrokerName } from './servers.ts'
import type { Source } from './source.ts'
import { kafkaSource } from './sources/kafka.ts'
import { mqttSource } from './sources/mqtt.ts'
import { natsSource } from './sources/nats.ts'
import { rabbitmqSource } from './sources/rabbitmq.ts'
import { redisSource } from './sources/redis.ts'
import { TopicSource } from './sources/topic.ts'

/** The kind `queue`: messages of a topic or a broker become calls. Brokers' libraries load when the first trigger needs one. */
export function createQueueKind(options: {
  readonly topics?: Topics | undefined
  /** Which addresses tenants' triggers may connect to. */
  readonly addresses: AddressPolicy
}): TriggerKind {
  const network = createSourceNetwork(options.addresses)
  return {
    kind: 'queue',
    summary:
      'Messages of a topic, or of NATS JetStream, RabbitMQ, Kafka, MQTT or Redis streams, call the function.',
    configSchema: queueConfigSchema,
    secretFields: ['password', 'token', 'tls.key'],
    hasUrl: false,
    check: config => checkQueueConfig(config, filterErrors),
    start(trigger, host) {
      const config = trigger.config as unknown as QueueConfig
      const origin = { source: config.source, trigger: trigger.name }
      if (config.source !== 'topic')
        return startReader({
          config,
          source: brokerOf(trigger, config, config.source, network),
          origin,
          host,
        })
      const { topics } = options
      if (!topics) throw new AtelierError('NOT_IMPLEMENTED', 'This server has no topics.')
      if (!host.isLeader()) return readElsewhere(trigger)
      const source = new TopicSource(topics, trigger.projectId, config, host)
      return { ...startReader({ config, source, origin, host }), leads: true, seek: to => source.seek(to) }
    },
    sample,
  }
}

/** One node reads a topic for a trigger, since it has one position. */
function readElsewhere({ name }: EventTrigger): RunningTrigger {
  return {
    leads: true,
    stop: async () => {},
    async seek() {
      throw new AtelierError(
        'UNAVAILABLE',
        `Trigger "${name}" is run by another node now, the one that leads: try again there.`,
      )
    },
  }
}

function brokerOf(
  trigger: EventTrigger,
  config: QueueConfig,
  broker: BrokerName,
  network: GuardedNetwork,
): Source {
  // Its own group, so that two triggers on one queue both get everything, unless they are told to share.
  const own = `atelier-${trigger.id}`
  const group = config.group ?? own
  switch (broker) {
    case 'nats':
      return natsSource(config, group, network)
    case 'rabbitmq':
      return rabbitmqSource(config, group, network)
    case 'kafka':
      return kafkaSource(config, group, own, network)
    case 'mqtt':
      return mqttSource(config, own, network)
    case 'redis':
      return redisSource(config, group, own, network)
  }
}

function sample(trigger: EventTrigger, now: number): TriggerEvent {
  const { source, topic, queue, stream } = trigger.config as unknown as QueueConfig
  const subject = topic ?? queue ?? stream ?? ''
  return {
    id: newId(now),
    source: `/triggers/${encodeURIComponent(trigger.name)}/${source}/${encodeURIComponent(subject)}`,
    type: 'atelier.queue.message',
    subject,
    time: now,
    contentType: 'application/json',
    data: Buffer.from('{"hello":"queue"}'),
    facts: ['atelier-source', source, 'atelier-topic', subject],
  }
}
