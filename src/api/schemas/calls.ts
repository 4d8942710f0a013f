import { AT, ID } from './common.ts'
import { model, ref, Time } from './model.ts'
import { Type } from './type.ts'

export const InvocationStatusSchema = Type.Enum(['ok', 'error', 'timeout', 'cancelled', 'refused'])

const ms = (description: string) =>
  Type.Number({ minimum: 0, description: `${description}, in milliseconds.` })

export const InvocationSchema = model(
  'Invocation',
  'One call, and what is kept of it.',
  {
    id: Type.String(),
    projectId: Type.String(),
    functionId: Type.String(),
    functionName: Type.String(),
    appName: Type.String(),
    version: Type.Integer(),
    trigger: Type.String({
      description: 'What caused it: `http`, `invoke`, `destination`, or the kind of its trigger.',
    }),
    triggerName: Type.Optional(Type.String({ description: 'Of the trigger, where one caused it.' })),
    status: InvocationStatusSchema,
    httpStatus: Type.Integer({ description: 'What the caller got; 0 when it left first.' }),
    fault: Type.Optional(Type.Enum(['caller', 'function', 'platform'])),
    errorCode: Type.Optional(Type.String()),
    errorMessage: Type.Optional(Type.String()),
    cold: Type.Boolean({ description: 'An instance was started or specialised for it.' }),
    instanceId: Type.Optional(Type.String()),
    startedAt: Time('When it came.'),
    queuedMs: ms('Waiting for a slot'),
    startingMs: ms('Starting an instance'),
    initialisingMs: ms('Loading the code'),
    runningMs: ms('Running'),
    billedMs: ms('What is billed'),
    memoryMiB: Type.Integer({ description: 'Memory that was reserved.' }),
    memoryPeakBytes: Type.Optional(Type.Integer()),
    bytesIn: Type.Integer(),
    bytesOut: Type.Integer(),
    traceparent: Type.Optional(Type.String()),
    attempt: Type.Optional(
      Type.Integer({ description: 'Of an asynchronous call: which attempt this is, from 1.' }),
    ),
    heldMs: Type.Optional(ms('Of an asynchronous call: in the durable queue after this attempt was due')),
  },
  {
    id: ID,
    projectId: ID,
    functionId: ID,
    functionName: 'thumbnail',
    appName: 'shop',
    version: 2,
    trigger: 'http',
    status: 'ok',
    httpStatus: 200,
    cold: true,
    instanceId: 'i-01k9zq5m3b',
    startedAt: AT,
    queuedMs: 0.1,
    startingMs: 4.2,
    initialisingMs: 11.8,
    runningMs: 23.4,
    billedMs: 36,
    memoryMiB: 128,
    memoryPeakBytes: 50_331_648,
    bytesIn: 120_000,
    bytesOut: 9_000,
  },
)

export const LogLineSchema = model(
  'LogLine',
  'One piece of output.',
  {
    at: Time('When it was written.'),
    projectId: Type.String(),
    functionId: Type.String(),
    version: Type.Integer(),
    instanceId: Type.String(),
    invocationId: Type.Optional(Type.String({ description: 'Absent for what code says outside any call.' })),
    stream: Type.Enum(['stdout', 'stderr', 'platform']),
    text: Type.String(),
  },
  {
    at: AT,
    projectId: ID,
    functionId: ID,
    version: 2,
    instanceId: 'i-01k9zq5m3b',
    invocationId: ID,
    stream: 'stdout',
    text: 'resized to 128x96',
  },
)

export const InstanceSchema = model(
  'Instance',
  'One sandbox that runs a version, or waits, generic, to become one.',
  {
    id: Type.String(),
    environment: Type.String(),
    state: Type.String({
      description: '`starting`, `generic`, `specialising`, `idle`, `busy`, `draining` or `gone`.',
    }),
    projectId: Type.Optional(Type.String()),
    functionId: Type.Optional(Type.String()),
    appName: Type.Optional(Type.String()),
    functionName: Type.Optional(Type.String()),
    version: Type.Optional(Type.Integer()),
    inFlight: Type.Integer({ description: 'Calls it holds now.' }),
    calls: Type.Integer({ description: 'Calls it ever took.' }),
    startedAt: Time('When it was started.'),
    memoryBytes: Type.Integer(),
  },
  {
    id: 'i-01k9zq5m3b',
    environment: 'nodejs',
    state: 'idle',
    projectId: ID,
    functionId: ID,
    appName: 'shop',
    functionName: 'thumbnail',
    version: 2,
    inFlight: 0,
    calls: 12,
    startedAt: AT,
    memoryBytes: 50_331_648,
  },
)

export const UsageRowSchema = model(
  'UsageRow',
  'Sums of one function on one day (UTC).',
  {
    day: Type.String({ format: 'date' }),
    functionId: Type.String(),
    appName: Type.String(),
    functionName: Type.String(),
    calls: Type.Integer(),
    errors: Type.Integer(),
    billedMs: Type.Integer(),
    memoryMiBMs: Type.Number({ description: 'Billed time times reserved memory.' }),
    bytesIn: Type.Integer(),
    bytesOut: Type.Integer(),
  },
  {
    day: '2026-11-02',
    functionId: ID,
    appName: 'shop',
    functionName: 'thumbnail',
    calls: 1200,
    errors: 3,
    billedMs: 28_400,
    memoryMiBMs: 3_635_200,
    bytesIn: 144_000_000,
    bytesOut: 10_800_000,
  },
)

export const UsageSchema = model(
  'Usage',
  'What a project used, by function and day.',
  {
    from: Time('Beginning, inclusive.'),
    to: Time('End, exclusive.'),
    items: Type.Array(ref(UsageRowSchema)),
  },
  { from: AT, to: AT, items: [] },
)
