import { Type } from '../../core/index.ts'

export const SOURCE_NAMES = ['topic', 'nats', 'rabbitmq', 'kafka', 'mqtt', 'redis'] as const
export type SourceName = (typeof SOURCE_NAMES)[number]

const text = (description: string, options: object = {}) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description, ...options }))
const whole = (description: string, options: { minimum: number; maximum: number; default?: number }) =>
  Type.Optional(Type.Integer({ description, ...options }))

/** What a trigger of the kind `queue` may be told. Which fields go with which source is said by `fields.ts`. */
export const queueConfigSchema = Type.Object(
  {
    source: Type.Enum(SOURCE_NAMES, {
      description: 'Where messages come from: a topic of this project, or a broker.',
    }),
    servers: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
        minItems: 1,
        maxItems: 10,
        description: 'Addresses of the broker, tried in turn. All but `topic`.',
        examples: [['nats://broker.internal:4222']],
      }),
    ),
    topic: text('Topic that is read: of this project (`topic`), of Kafka; topic filter of MQTT.', {
      examples: ['orders'],
    }),
    stream: text('Stream that is read (`nats`, `redis`).'),
    subject: text('Only messages of this subject; may have wildcards (`nats`).'),
    queue: text('Queue that is read (`rabbitmq`). Made, durable, when `exchange` is given.'),
    exchange: text('Exchange that the queue is bound to (`rabbitmq`); it must exist.'),
    routingKey: text('Routing key of that binding (`rabbitmq`).', { minLength: 0 }),
    group: text(
      'Consumers with the same group share the messages: durable consumer of NATS, consumer group of Kafka and Redis, ' +
        'shared subscription of MQTT. Without it: a group of this trigger alone.',
      { maxLength: 200, pattern: '^[A-Za-z0-9_.-]+$' },
    ),
    from: Type.Optional(
      Type.Enum(['oldest', 'new'], {
        description:
          'Where a group that is new begins: with the oldest message that is kept, or with what comes from now on. ' +
          'Default: `new`. Not `rabbitmq`, `mqtt`.',
      }),
    ),
    field: text(
      'Field of an entry that is the message; the others are its headers (`redis`). Default: `data`.',
    ),
    username: text('Name to log in with.'),
    password: text('Password to log in with. Never shown.'),
    token: text('Token to log in with, instead of a name (`nats`). Never shown.'),
    sasl: Type.Optional(
      Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512'], {
        description: 'How name and password are sent (`kafka`). Default: `scram-sha-512`.',
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          ca: text(
            'Certificates that the broker’s is checked against, PEM. Default: those that Node knows.',
            {
              maxLength: 65_536,
            },
          ),
          cert: text('Own certificate, PEM.', { maxLength: 65_536 }),
          key: text('Key of the own certificate, PEM. Never shown.', { maxLength: 65_536 }),
          serverName: text('Name in the broker’s certificate, when it is not the one in `servers`.'),
        },
        {
          additionalProperties: false,
          description:
            'Encrypts, with these; `{}` is enough. Also turned on by nats+tls:, amqps:, kafka+tls:, mqtts:, rediss:.',
        },
      ),
    ),
    delivery: Type.Optional(
      Type.Enum(['call', 'async'], {
        description:
          '`call`: the message is acknowledged when the function has succeeded; retries are this trigger’s. `async`: it ' +
          'is acknowledged when it is an asynchronous call, durable; retries and dead letters are the function’s. ' +
          'Default: `async` for `topic`, else `call`.',
      }),
    ),
    concurrency: whole('Calls at once, at most. The function’s own capacity bounds them too.', {
      minimum: 1,
      maximum: 1_000,
      default: 100,
    }),
    batch: Type.Optional(
      Type.Object(
        {
          size: Type.Integer({ minimum: 1, maximum: 1_000, description: 'Messages in one call, at most.' }),
          windowMs: whole('How long a call may wait to become full.', {
            minimum: 0,
            maximum: 60_000,
            default: 0,
          }),
        },
        { additionalProperties: false, description: 'Several messages in one call. Only delivery `call`.' },
      ),
    ),
    ordering: Type.Optional(
      Type.Enum(['none', 'key'], {
        description: '`key`: messages with the same key are handled one after the other. Default: `none`.',
      }),
    ),
    retries: whole('Further attempts for a message that failed. Only delivery `call`.', {
      minimum: 0,
      maximum: 100,
      default: 5,
    }),
    retryDelayMs: whole('Wait before the first of them; each next one doubles.', {
      minimum: 1,
      maximum: 3_600_000,
      default: 1_000,
    }),
    retryDelayMsMax: whole('Longest of these waits.', { minimum: 1, maximum: 3_600_000, default: 60_000 }),
    errorTopic: text(
      'Where a message goes whose attempts are used up. Without it, it is dropped and counted. A topic, subject, queue ' +
        'or stream of the same source; `exchange/routing-key` with `rabbitmq`.',
    ),
    responseTopic: text('Where the function’s answers go, likewise.'),
    filter: Type.Optional(
      Type.Array(Type.Unknown(), {
        description: 'CloudEvents filters: a message that fails one is acknowledged without a call.',
        maxItems: 20,
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [
      { source: 'topic', topic: 'orders' },
      { source: 'nats', servers: ['nats://broker.example.org:4222'], stream: 'ORDERS' },
    ],
  },
)
