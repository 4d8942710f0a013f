import { EVENT_FORMATS, EVENT_TRIGGER_KINDS } from '../../core/index.ts'
import { AT, ID } from './common.ts'
import { model, ref, Time } from './model.ts'
import { Type } from './type.ts'

export const TriggerKindName = Type.Enum(['http', ...EVENT_TRIGGER_KINDS])
export const EventFormatName = Type.Enum([...EVENT_FORMATS], {
  description:
    'How the function gets an event: as the kind has it, or as a CloudEvent, its attributes in headers or all of it in the body.',
})
export const TriggerConfig = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), {
  description: 'What the kind wants to know: see `GET /v1/trigger-kinds`.',
})

const Count = (description: string) => Type.Integer({ minimum: 0, description })

const TriggerStatusSchema = Type.Object(
  {
    state: Type.Enum(['active', 'paused', 'failing', 'ended']),
    accepted: Count('Events that became calls.'),
    filtered: Count('Events that a filter or an overlap rule left out.'),
    duplicates: Count('Events that had come before.'),
    failed: Count('Events that were refused, or whose call failed.'),
    lastEventAt: Type.Optional(Time('When the last event came.')),
    lastCallId: Type.Optional(Type.String({ description: 'The call that it became.' })),
    lastError: Type.Optional(Type.String()),
    lastErrorAt: Type.Optional(Time('When that was.')),
    nextAt: Type.Optional(Type.Array(Time('A time to come.'))),
    details: Type.Optional(Type.Object({}, { description: 'What else the kind has to say.' })),
  },
  { description: 'How it does; not for `http`.' },
)

export const TriggerSchema = model(
  'Trigger',
  'What calls a function: a route of the router (`http`), or a source of events.',
  {
    id: Type.String({ description: 'Opaque; sorts by time of creation.' }),
    projectId: Type.String(),
    functionId: Type.String(),
    kind: TriggerKindName,
    app: Type.String(),
    function: Type.String(),
    name: Type.String(),
    alias: Type.String(),
    url: Type.Optional(
      Type.String({ description: 'Where it takes requests. A secret one is shown to those who may write.' }),
    ),
    host: Type.Optional(Type.String({ description: 'For `http`, as all down to `cors`.' })),
    methods: Type.Optional(Type.Array(Type.String())),
    path: Type.Optional(Type.String()),
    stripPrefix: Type.Optional(Type.Boolean()),
    access: Type.Optional(Type.String()),
    cors: Type.Optional(Type.Object({})),
    format: Type.Optional(EventFormatName),
    config: Type.Optional(TriggerConfig),
    secretsSet: Type.Optional(
      Type.Array(Type.String(), { description: 'Fields of `config` that are set and never shown.' }),
    ),
    paused: Type.Optional(Type.Boolean({ description: 'Whether it takes no events now.' })),
    status: Type.Optional(TriggerStatusSchema),
    revision: Type.Integer({ description: 'Grows with each change; the same as the ETag.' }),
    createdAt: Time('When it was made.'),
    updatedAt: Time('When it was last changed.'),
  },
  {
    id: ID,
    projectId: ID,
    functionId: ID,
    kind: 'schedule',
    app: 'shop',
    function: 'report',
    name: 'nightly',
    alias: 'live',
    format: 'native',
    config: { cron: '0 3 * * *', zone: 'Europe/Berlin', jitterMs: 0, missed: 'once', overlap: 'allow' },
    secretsSet: [],
    paused: false,
    status: {
      state: 'active',
      accepted: 12,
      filtered: 0,
      duplicates: 0,
      failed: 0,
      lastEventAt: AT,
      lastCallId: ID,
      nextAt: ['2026-11-03T02:00:00.000Z'],
    },
    revision: 1,
    createdAt: AT,
    updatedAt: AT,
  },
)

export const TriggerKindSchema = model(
  'TriggerKind',
  'A kind of event trigger: what its `config` may hold.',
  {
    kind: TriggerKindName,
    summary: Type.String(),
    hasUrl: Type.Boolean({ description: 'Whether each trigger gets a secret URL.' }),
    secretFields: Type.Array(Type.String(), { description: 'Fields that are sealed and never shown.' }),
    schema: Type.Object({}, { description: 'JSON Schema of `config`.' }),
    examples: Type.Array(Type.Object({}), { description: 'Whole configurations.' }),
  },
  {
    kind: 'schedule',
    summary: 'Call a function at times: cron, intervals, or once.',
    hasUrl: false,
    secretFields: [],
    schema: { type: 'object' },
    examples: [{ cron: '0 3 * * *', zone: 'Europe/Berlin' }],
  },
)

export const AcceptedEventSchema = model(
  'AcceptedEvent',
  'The call that an event became.',
  { id: Type.String({ description: 'Id of the invocation.' }), duplicate: Type.Boolean() },
  { id: ID, duplicate: false },
)

export const RecordedRequestSchema = model(
  'RecordedRequest',
  'What is kept of a request that came to a trigger’s URL.',
  {
    id: Type.String(),
    receivedAt: Time('When it came.'),
    method: Type.String(),
    path: Type.String({ description: 'What followed the token.' }),
    remoteAddress: Type.String(),
    headers: Type.Array(Type.String(), { description: 'Name, value, …' }),
    bodyText: Type.String({ description: 'The beginning of its body.' }),
    bodyBytes: Type.Integer(),
    outcome: Type.String(),
    detail: Type.Optional(Type.String()),
    callId: Type.Optional(Type.String()),
  },
  {
    id: ID,
    receivedAt: AT,
    method: 'POST',
    path: '',
    remoteAddress: '192.0.2.7',
    headers: ['content-type', 'application/json'],
    bodyText: '{"action":"opened"}',
    bodyBytes: 19,
    outcome: 'accepted',
    callId: ID,
  },
)

export const ReplayResultSchema = model(
  'ReplayResult',
  'What came of handling a recorded request once more.',
  { calls: Type.Array(ref(AcceptedEventSchema)) },
  { calls: [{ id: ID, duplicate: false }] },
)
