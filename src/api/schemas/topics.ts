import { AT } from './common.ts'
import { model, Time } from './model.ts'
import { Type } from './type.ts'

const retention = {
  ageMs: Type.Integer({ description: 'How long a message is kept. Default: 7 days.' }),
  messagesMax: Type.Integer({ description: 'How many are kept. Default: 1,000,000.' }),
  bytesMax: Type.Integer({ description: 'How many bytes of them. Default: 256 MiB.' }),
}

export const RetentionInput = Type.Partial(Type.Object(retention), {
  additionalProperties: false,
  description: 'What is kept; the oldest messages go first.',
})

export const TopicSchema = model(
  'Topic',
  'A log of messages, which triggers of the kind `queue` read at their own pace.',
  {
    id: Type.String(),
    name: Type.String(),
    retention: Type.Object(retention),
    firstPosition: Type.Integer({
      description: 'Of the oldest message that is kept; 0: there never was one.',
    }),
    lastPosition: Type.Integer({ description: 'Of the newest message.' }),
    createdAt: Time('When it was made.'),
  },
  {
    id: '01k9zq5m3b8t5v2c7x4n6r1d0e',
    name: 'orders',
    retention: { ageMs: 604_800_000, messagesMax: 1_000_000, bytesMax: 268_435_456 },
    firstPosition: 1,
    lastPosition: 42,
    createdAt: AT,
  },
)

export const TopicMessageSchema = model(
  'TopicMessage',
  'A message as it is kept.',
  {
    position: Type.Integer(),
    id: Type.String(),
    key: Type.Optional(Type.String()),
    contentType: Type.String(),
    attributes: Type.Record(Type.String(), Type.String()),
    text: Type.Optional(Type.String({ description: 'The data, when it is UTF-8.' })),
    base64: Type.Optional(Type.String({ description: 'The data, when it is not.' })),
    publishedAt: Time('When it became durable.'),
  },
  {
    position: 42,
    id: '01k9zq5m3b8t5v2c7x4n6r1d0e',
    contentType: 'application/json',
    attributes: { region: 'north' },
    text: '{"order":17}',
    publishedAt: AT,
  },
)

export const PublishedSchema = model(
  'Published',
  'Where the messages stand, in the order they were sent. One that was there already has its first position.',
  { positions: Type.Array(Type.Integer()) },
  { positions: [42] },
)
