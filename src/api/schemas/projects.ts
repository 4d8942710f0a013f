import { QUOTA_NAMES } from '../../core/index.ts'
import { AT, ID, Id, Revision, times } from './common.ts'
import { model } from './model.ts'
import { Type } from './type.ts'

const most = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }))

export const QuotaSchema = Type.Object(
  {
    functions: most('Functions.'),
    versions: most('Versions of all functions.'),
    memoryMiB: most('Memory of instances that are kept without a call, and of any single one.'),
    concurrency: most('Calls at once.'),
    callsPerMinute: most('Calls that begin within a minute, on each node.'),
    storageBytes: most('Bytes of packages, and of what was built from them.'),
    triggers: most('Triggers of all kinds.'),
    queuedCalls: most('Asynchronous calls that wait.'),
    queuedBytes: most('Bytes of asynchronous calls that have not ended.'),
  },
  {
    additionalProperties: false,
    description: 'Limits of the project; what is absent is as by default.',
  },
)

const QuotaState = Type.Object({
  limit: Type.Optional(Type.Integer({ description: 'The most; absent where there is no limit.' })),
  used: Type.Optional(
    Type.Integer({ description: 'How much of it; absent where it is counted only with a limit.' }),
  ),
  isDefault: Type.Boolean({ description: 'Whether nobody has set it.' }),
})

export const ProjectQuotaSchema = model(
  'ProjectQuota',
  'What a project may have, and how much of it it has.',
  {
    project: Type.String(),
    quotas: Type.Object(
      Object.fromEntries(QUOTA_NAMES.map(name => [name, QuotaState])) as Record<
        (typeof QUOTA_NAMES)[number],
        typeof QuotaState
      >,
    ),
    revision: Revision,
  },
  {
    project: 'research',
    quotas: Object.fromEntries(
      QUOTA_NAMES.map(name => [
        name,
        name === 'functions' ? { limit: 50, used: 12, isDefault: false } : { used: 3, isDefault: true },
      ]),
    ),
    revision: 4,
  },
)

export const IsolationMinSchema = Type.Enum(['process', 'gvisor'], {
  description:
    'The weakest isolation that its functions may have, from the next instance on; `process` asks for nothing.',
})

export const ProjectSchema = model(
  'Project',
  'The tenant: owns everything; quotas and bills are per project.',
  {
    id: Id,
    name: Type.String(),
    description: Type.String(),
    enabled: Type.Boolean(),
    quota: QuotaSchema,
    isolationMin: Type.Optional(IsolationMinSchema),
    revision: Revision,
    ...times,
  },
  {
    id: ID,
    name: 'default',
    description: '',
    enabled: true,
    quota: { functions: 100 },
    revision: 1,
    createdAt: AT,
    updatedAt: AT,
  },
)
