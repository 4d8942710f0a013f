import type { FastifyInstance } from 'fastify'
import type { Message, Topic } from '../../topics/index.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { MESSAGES_TYPE, readPublication } from '../publication.ts'
import { exactly, named, Paged } from '../schemas/inputs.ts'
import { listOf, Nothing, pageOf, ref } from '../schemas/model.ts'
import { PublishedSchema, RetentionInput, TopicMessageSchema, TopicSchema } from '../schemas/topics.ts'
import { Type } from '../schemas/type.ts'
import { pageView, time } from '../views.ts'

const TopicParams = named('topic', 'The topic’s name.')
const PUBLICATION_BYTES_MAX = 32 * 1024 * 1024
const UTF8 = new TextDecoder('utf-8', { fatal: true })

export function topicRoutes(server: FastifyInstance, { topics }: ApiParts): void {
  operation(server, {
    method: 'POST',
    path: '/topics',
    id: 'createTopic',
    tag: 'topics',
    summary: 'Create a topic',
    idempotent: true,
    needs: 'write',
    body: exactly(
      { name: Type.String(), retention: Type.Optional(RetentionInput) },
      { examples: [{ name: 'orders', retention: { ageMs: 86_400_000 } }] },
    ),
    answers: { 201: ref(TopicSchema, 'The topic.') },
    errors: ['QUOTA_EXCEEDED', 'STORAGE_FULL'],
    handle: async ({ by, body }) => topicView(await topics.create(by.projectId, body)),
  })

  operation(server, {
    method: 'GET',
    path: '/topics',
    id: 'listTopics',
    tag: 'topics',
    summary: 'List topics',
    needs: 'read',
    query: Paged,
    answers: { 200: pageOf(TopicSchema) },
    handle: async ({ by, query }) => pageView(await topics.list(by.projectId, query), topicView),
  })

  operation(server, {
    method: 'GET',
    path: '/topics/{topic}',
    id: 'getTopic',
    tag: 'topics',
    summary: 'Show a topic',
    needs: 'read',
    params: TopicParams,
    answers: { 200: ref(TopicSchema, 'The topic.') },
    handle: async ({ by, params }) => topicView(await topics.get(by.projectId, params.topic)),
  })

  operation(server, {
    method: 'PATCH',
    path: '/topics/{topic}',
    id: 'updateTopic',
    tag: 'topics',
    summary: 'Change how long messages are kept',
    needs: 'write',
    params: TopicParams,
    body: exactly({ retention: RetentionInput }, { examples: [{ retention: { messagesMax: 1_000 } }] }),
    answers: { 200: ref(TopicSchema, 'The topic as it is now.') },
    handle: async ({ by, params, body }) => topicView(await topics.update(by.projectId, params.topic, body)),
  })

  operation(server, {
    method: 'DELETE',
    path: '/topics/{topic}',
    id: 'deleteTopic',
    tag: 'topics',
    summary: 'Delete a topic and its messages',
    needs: 'write',
    params: TopicParams,
    answers: { 204: Nothing },
    handle: ({ by, params }) => topics.delete(by.projectId, params.topic),
  })

  operation(server, {
    method: 'GET',
    path: '/topics/{topic}/messages',
    id: 'readTopic',
    tag: 'topics',
    summary: 'Read messages',
    description: 'Changes nothing: triggers have positions of their own.',
    needs: 'read',
    params: TopicParams,
    query: exactly({
      after: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Only what follows this position. Default 0.' }),
      ),
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, description: 'At most so many. Default 100.' }),
      ),
    }),
    answers: { 200: listOf(TopicMessageSchema) },
    async handle({ by, params, query }) {
      const { id } = await topics.get(by.projectId, params.topic)
      return { items: (await topics.read(id, query.after ?? 0, query.limit ?? 100)).map(messageView) }
    },
  })

  // In a scope of its own, in which a body is what it is.
  server.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: PUBLICATION_BYTES_MAX },
      (_request, body, done) => done(null, body),
    )
    operation(scope, {
      method: 'POST',
      path: '/topics/{topic}/messages',
      id: 'publish',
      tag: 'topics',
      summary: 'Publish messages',
      description:
        'Answers when they are durable, all or none. A body of any type is one message; `Atelier-Message-Id` (a second one ' +
        'with the same id is dropped), `Atelier-Key` and `Atelier-Attribute-<name>` say more of it. A CloudEvent may come in ' +
        'any of its HTTP modes, batch included. `' +
        MESSAGES_TYPE +
        '` is an array of `{id, key, contentType, attributes}` with one of `data` (a JSON value), `text` and `base64`.',
      needs: 'write',
      params: TopicParams,
      answers: { 201: ref(PublishedSchema, 'They are durable.') },
      errors: ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'TOO_MANY_REQUESTS', 'STORAGE_FULL'],
      async handle({ by, params, request }) {
        const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
        const messages = readPublication(request.raw.rawHeaders, body)
        return { positions: await topics.publish(by.projectId, params.topic, messages) }
      },
    })
  })
}

function topicView({ id, name, retention, firstPosition, lastPosition, createdAt }: Topic) {
  return { id, name, retention, firstPosition, lastPosition, createdAt: time(createdAt) }
}

function messageView({ data, publishedAt, ...message }: Message) {
  let body: { readonly text: string } | { readonly base64: string }
  try {
    body = { text: UTF8.decode(data) }
  } catch {
    body = { base64: Buffer.from(data).toString('base64') }
  }
  return { ...message, ...body, publishedAt: time(publishedAt) }
}
