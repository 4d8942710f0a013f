import { AT, ID } from './common.ts'
import { exactly } from './inputs.ts'
import { model, Time } from './model.ts'
import { type TSchema, Type } from './type.ts'

export const AttemptFailureSchema = Type.Enum(['error', 'status', 'timeout', 'crash', 'platform'], {
  description:
    '`error`: the code threw or could not be loaded. `status`: it answered 500 to 599, 408, 425 or 429. `timeout`. `crash`: its instance ended. `platform`: no attempt could be made.',
})

const DestinationSchema = Type.Union(
  [
    exactly({
      kind: Type.Literal('function'),
      app: Type.String({ maxLength: 100 }),
      function: Type.String({ maxLength: 100 }),
      alias: Type.Optional(Type.String({ maxLength: 100 })),
    }),
    exactly({ kind: Type.Literal('webhook'), url: Type.String({ maxLength: 2048 }) }),
    exactly({ kind: Type.Literal('topic'), topic: Type.String({ maxLength: 100 }) }),
  ],
  { description: 'Where the outcome of a call goes, as a CloudEvent.' },
)

const ms = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description}, in milliseconds.` })

const retry = {
  attemptsMax: Type.Integer({ minimum: 1, description: 'Attempts in all; 1 is no retry.' }),
  delayMs: ms('Wait before the second attempt'),
  factor: Type.Number({ minimum: 1, description: 'What the wait grows by each time.' }),
  delayMsMax: ms('Longest wait'),
  jitter: Type.Number({ minimum: 0, maximum: 1, description: 'Part of each wait that is left to chance.' }),
  on: Type.Array(AttemptFailureSchema, { maxItems: 5, description: 'What is tried again.' }),
}

const plain = {
  maxAgeMs: ms('A call that has not succeeded so long after it was due expires'),
  resultKeptMs: ms('How long a call that has ended is kept with its result'),
  concurrencyMax: Type.Integer({ minimum: 1, description: 'Asynchronous calls that run at once.' }),
  queuedMax: Type.Integer({ minimum: 0, description: 'Calls that may wait; one more is 429.' }),
  paused: Type.Boolean({ description: 'Calls are accepted and wait.' }),
}

const DESCRIPTION = 'How asynchronous calls of the function are treated.'

/** As it holds. */
export const AsyncSettingsSchema = Type.Object(
  {
    retry: Type.Object(retry),
    ...plain,
    onSuccess: Type.Optional(DestinationSchema),
    onFailure: Type.Optional(DestinationSchema),
  },
  { description: DESCRIPTION },
)

const orDefault = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** A merge patch: `null` goes back to the default. */
export const AsyncChangeSchema = exactly(
  {
    retry: orDefault(
      exactly({
        attemptsMax: orDefault(retry.attemptsMax),
        delayMs: orDefault(retry.delayMs),
        factor: orDefault(retry.factor),
        delayMsMax: orDefault(retry.delayMsMax),
        jitter: orDefault(retry.jitter),
        on: orDefault(retry.on),
      }),
    ),
    maxAgeMs: orDefault(plain.maxAgeMs),
    resultKeptMs: orDefault(plain.resultKeptMs),
    concurrencyMax: orDefault(plain.concurrencyMax),
    queuedMax: orDefault(plain.queuedMax),
    paused: orDefault(plain.paused),
    onSuccess: orDefault(DestinationSchema),
    onFailure: orDefault(DestinationSchema),
  },
  { description: `${DESCRIPTION} \`null\` goes back to the default.` },
)

export const AsyncStateSchema = Type.Enum(
  ['queued', 'running', 'succeeded', 'failed', 'expired', 'cancelled'],
  { description: 'The last four are final; `failed` and `expired` are dead letters.' },
)

export const AsyncInvocationSchema = model(
  'AsyncInvocation',
  'A call that outlives its caller. Its id is the invocation id of every attempt: logs and records are found by it.',
  {
    id: Type.String(),
    projectId: Type.String(),
    functionId: Type.String(),
    appName: Type.String(),
    functionName: Type.String(),
    qualifier: Type.Optional(Type.String({ description: 'Alias or version that was asked for.' })),
    trigger: Type.String({ description: 'What caused it: `http`, `invoke`, `schedule` …' }),
    triggerName: Type.Optional(Type.String()),
    state: AsyncStateSchema,
    attempts: Type.Integer({ description: 'Attempts begun.' }),
    acceptedAt: Time('When it was accepted.'),
    dueAt: Time('When its next attempt may begin, or its last one might.'),
    startedAt: Type.Optional(Time('When its last attempt began.')),
    endedAt: Type.Optional(Time('When it reached its final state.')),
    keptUntil: Type.Optional(Time('When it is forgotten.')),
    orderingKey: Type.Optional(Type.String()),
    lastFailure: Type.Optional(
      Type.Object({ kind: AttemptFailureSchema, code: Type.String(), message: Type.String() }),
    ),
    httpStatus: Type.Integer({ description: 'Of the last answer; 0 when there was none.' }),
    resultBytes: Type.Integer(),
  },
  {
    id: ID,
    projectId: ID,
    functionId: ID,
    appName: 'shop',
    functionName: 'thumbnail',
    trigger: 'http',
    state: 'succeeded',
    attempts: 1,
    acceptedAt: AT,
    dueAt: AT,
    startedAt: AT,
    endedAt: AT,
    keptUntil: '2026-11-09T09:30:00.000Z',
    httpStatus: 200,
    resultBytes: 9_000,
  },
)

export const AcceptedSchema = model(
  'Accepted',
  'An asynchronous call is durable.',
  {
    id: Type.String(),
    state: Type.Literal('accepted'),
    duplicate: Type.Boolean({ description: 'It was accepted before, under the same key.' }),
    url: Type.String({ description: 'Where to ask for it.' }),
  },
  {
    id: ID,
    state: 'accepted',
    duplicate: false,
    url: `http://127.0.0.1:1881/v1/async-invocations/${ID}`,
  },
)

export const ManySchema = model(
  'Many',
  'How many things it was done to.',
  { count: Type.Integer() },
  { count: 12 },
)

export const QueueSchema = model(
  'Queue',
  'How a function’s asynchronous calls stand.',
  {
    queued: Type.Integer({ description: 'Waiting, those for a later time included.' }),
    delayed: Type.Integer({ description: 'Of these, waiting for a later time or their next attempt.' }),
    running: Type.Integer(),
    deadLetters: Type.Integer({ description: 'Failed and expired ones that are kept.' }),
    oldestDueAt: Type.Optional(Time('When the oldest one that could run by now was due.')),
    paused: Type.Boolean(),
  },
  { queued: 3, delayed: 1, running: 2, deadLetters: 0, oldestDueAt: AT, paused: false },
)
