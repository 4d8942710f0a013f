import { ASYNC_SETTINGS_DEFAULT, LIMITS_DEFAULT, SCALING_DEFAULT } from '../../core/index.ts'
import { AsyncSettingsSchema } from './async.ts'
import { AT, DIGEST, ID, Id, IsolationSchema, Revision, times } from './common.ts'
import { model, ref } from './model.ts'
import { Type } from './type.ts'

const StringMap = Type.Record(Type.String(), Type.String())

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
