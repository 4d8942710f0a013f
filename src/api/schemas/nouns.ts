import { ASYNC_SETTINGS_DEFAULT, LIMITS_DEFAULT, QUOTA_NAMES, SCALING_DEFAULT } from '../../core/index.ts'
import { AsyncSettingsSchema } from './async.ts'
import { model, ref, Time } from './model.ts'
import { Type } from './type.ts'

const AT = '2026-11-02T09:30:00.000Z'
const ID = '01k9zq5m3b8t5v2c7x4n6r1d0e'
const DIGEST = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

const Id = Type.String({ description: 'Opaque; sorts by time of creation.' })
const Revision = Type.Integer({ description: 'Grows with each change; the same as the ETag.' })
const times = { createdAt: Time('When it was made.'), updatedAt: Time('When it was last changed.') }
const StringMap = Type.Record(Type.String(), Type.String())

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

export const IsolationSchema = Type.Enum(['process', 'gvisor'])

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

export const AppSchema = model(
  'App',
  'A named group of functions with shared configuration.',
  {
    id: Id,
    projectId: Id,
    name: Type.String(),
    description: Type.String(),
    config: StringMap,
    revision: Revision,
    ...times,
  },
  {
    id: ID,
    projectId: ID,
    name: 'shop',
    description: '',
    config: { REGION: 'eu' },
    revision: 1,
    createdAt: AT,
    updatedAt: AT,
  },
)

export const FunctionSchema = model(
  'Function',
  'A name for code that can be called; its versions say how it runs.',
  {
    id: Id,
    projectId: Id,
    appId: Id,
    appName: Type.String(),
    name: Type.String(),
    description: Type.String(),
    access: Type.Enum(['public', 'private']),
    async: AsyncSettingsSchema,
    latestVersion: Type.Integer({ description: 'The newest version’s number.' }),
    revision: Revision,
    url: Type.String({ description: 'Where the live alias answers.' }),
    ...times,
  },
  {
    id: ID,
    projectId: ID,
    appId: ID,
    appName: 'shop',
    name: 'thumbnail',
    description: '',
    access: 'public',
    async: ASYNC_SETTINGS_DEFAULT,
    latestVersion: 2,
    revision: 3,
    url: 'http://127.0.0.1:1882/default/shop/thumbnail',
    createdAt: AT,
    updatedAt: AT,
  },
)

export const ContractChoiceSchema = Type.Object(
  {
    name: Type.String(),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: 'Where the process listens.' }),
    ),
    readyPath: Type.Optional(Type.String({ description: 'Answers 200 to 399 once the process is ready.' })),
    startMs: Type.Optional(
      Type.Integer({ minimum: 1, description: 'How long the process may take to start.' }),
    ),
    functionName: Type.Optional(
      Type.String({ description: 'What a runtime that loads functions is told to call.' }),
    ),
    code: Type.Optional(Type.String({ description: 'File or folder of the package that it is given.' })),
    interfaceVersion: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2, description: 'Of Fission’s environment interface.' }),
    ),
  },
  { additionalProperties: false, description: 'How the platform talks to the code.' },
)

export const LimitsSchema = Type.Object({
  memoryMiB: Type.Integer(),
  cpuMillicores: Type.Integer(),
  timeoutMs: Type.Integer(),
  concurrency: Type.Integer(),
  tmpMiB: Type.Integer(),
  processesMax: Type.Integer(),
  openFilesMax: Type.Integer(),
})

const ScalingSchema = Type.Object({
  instancesMin: Type.Integer(),
  instancesMax: Type.Integer(),
  idleMs: Type.Integer(),
})

const SPEC_EXAMPLE = {
  environment: 'nodejs',
  environmentRevision: DIGEST,
  packageDigest: DIGEST,
  bundleDigest: DIGEST,
  entry: 'index.js#handler',
  config: { REGION: 'eu' },
  secrets: ['api-key'],
  limits: LIMITS_DEFAULT,
  scaling: SCALING_DEFAULT,
  network: 'none',
}

export const VersionSchema = model(
  'Version',
  'An immutable numbered snapshot of everything that decides how a function runs.',
  {
    id: Id,
    functionId: Id,
    number: Type.Integer({ minimum: 1 }),
    description: Type.String(),
    spec: Type.Object({
      environment: Type.String(),
      contract: Type.Optional(ContractChoiceSchema),
      environmentRevision: Type.String(),
      packageDigest: Type.String(),
      bundleDigest: Type.String(),
      entry: Type.String({ description: 'A file, `file#export` (Node) or `module:function` (Python).' }),
      config: StringMap,
      secrets: Type.Array(Type.String(), { description: 'Names only.' }),
      limits: LimitsSchema,
      scaling: ScalingSchema,
      network: Type.Enum(['none', 'outbound']),
      isolation: Type.Optional(IsolationSchema),
      token: Type.Optional(
        Type.Object(
          { roles: Type.Array(Type.String()), trustId: Type.String(), userId: Type.String() },
          { description: 'What the deployer lends to the code; absent when its calls are given no token.' },
        ),
      ),
    }),
    createdAt: times.createdAt,
    createdBy: Type.String(),
  },
  {
    id: ID,
    functionId: ID,
    number: 2,
    description: '',
    spec: SPEC_EXAMPLE,
    createdAt: AT,
    createdBy: 'admin',
  },
)

export const AliasSchema = model(
  'Alias',
  'A name for one version, or for several with weights that sum to 100.',
  {
    functionId: Id,
    name: Type.String(),
    targets: Type.Array(Type.Object({ version: Type.Integer(), weight: Type.Integer() })),
    revision: Revision,
    updatedAt: times.updatedAt,
  },
  { functionId: ID, name: 'live', targets: [{ version: 2, weight: 100 }], revision: 2, updatedAt: AT },
)

export const DeployResultSchema = model(
  'DeployResult',
  'What a deploy led to.',
  {
    function: ref(FunctionSchema),
    version: ref(VersionSchema),
    created: Type.Boolean({ description: 'Whether anything changed.' }),
    url: Type.String(),
  },
  {
    function: { id: ID, name: 'thumbnail', appName: 'shop' },
    version: { id: ID, number: 2 },
    created: true,
    url: 'http://127.0.0.1:1882/default/shop/thumbnail',
  },
)

export const RollbackResultSchema = model(
  'RollbackResult',
  'What is live after a rollback.',
  { alias: ref(AliasSchema), version: ref(VersionSchema) },
  {
    alias: {
      functionId: ID,
      name: 'live',
      targets: [{ version: 1, weight: 100 }],
      revision: 3,
      updatedAt: AT,
    },
    version: { id: ID, number: 1 },
  },
)

export const SecretSchema = model(
  'Secret',
  'A secret’s name; its value never comes out again.',
  { projectId: Id, name: Type.String(), revision: Revision, ...times },
  { projectId: ID, name: 'api-key', revision: 1, createdAt: AT, updatedAt: AT },
)

export const PackageSchema = model(
  'Package',
  'Code as it was sent, addressed by its digest.',
  { digest: Type.String(), sizeBytes: Type.Integer(), fileName: Type.String(), createdAt: times.createdAt },
  { digest: DIGEST, sizeBytes: 4096, fileName: 'thumbnail.zip', createdAt: AT },
)
