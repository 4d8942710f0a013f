import { exactly } from './inputs.ts'
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
