import { AT, ID } from './common.ts'
import { model, ref, Time } from './model.ts'
import { Type } from './type.ts'

const RoleName = Type.Enum(['admin', 'member', 'reader', 'service'])

export const TokenSchema = model(
  'Token',
  'A token for one user in one project. It is shown this once.',
  {
    token: Type.String(),
    expiresAt: Time('When it stops working.'),
    user: Type.String(),
    project: Type.String(),
    roles: Type.Array(RoleName),
  },
  { token: 'atl_…', expiresAt: AT, user: 'admin', project: 'default', roles: ['admin'] },
)

export const WhoamiSchema = model(
  'Whoami',
  'Who the token stands for.',
  {
    user: Type.String(),
    userId: Type.String(),
    project: Type.String(),
    projectId: Type.String(),
    roles: Type.Array(RoleName),
    expiresAt: Time('When the token stops working.'),
  },
  { user: 'admin', userId: ID, project: 'default', projectId: ID, roles: ['admin'], expiresAt: AT },
)

export const UserSchema = model(
  'User',
  'Somebody who can log in.',
  { id: Type.String(), name: Type.String(), enabled: Type.Boolean(), createdAt: Time('When it was made.') },
  { id: ID, name: 'maria', enabled: true, createdAt: AT },
)

export const GrantSchema = model(
  'Grant',
  'A user’s role in a project.',
  { user: Type.String(), project: Type.String(), role: RoleName },
  { user: 'maria', project: 'default', role: 'member' },
)

export const EnvironmentSchema = model(
  'Environment',
  'How one language is run and built.',
  {
    name: Type.String(),
    description: Type.String(),
    contract: Type.String(),
    entryHelp: Type.String({ description: 'How an entry is written.' }),
    ready: Type.Boolean(),
    runtimeVersion: Type.Optional(Type.String()),
    revision: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String({ description: 'Why it cannot run here, and what to install.' })),
  },
  {
    name: 'nodejs',
    description: 'JavaScript and TypeScript on Node',
    contract: 'frames',
    entryHelp: 'file#export',
    ready: true,
    runtimeVersion: 'v24.21.0',
    revision: 'sha256:9f86d081',
  },
)

export const StatusSchema = model(
  'Status',
  'What this server is, and how it is.',
  {
    version: Type.String(),
    startedAt: Time('When the process started.'),
    uptimeMs: Type.Integer(),
    roles: Type.Array(Type.String()),
    isolation: Type.Object({
      backend: Type.String(),
      tier: Type.Enum(['none', 'process', 'gvisor']),
      notes: Type.Array(Type.String(), { description: 'How code is held, and why not better.' }),
    }),
    routerUrl: Type.String(),
    notReady: Type.Array(Type.String()),
    dataPath: Type.Optional(Type.String({ description: 'Operators only.' })),
    nodes: Type.Optional(
      Type.Array(
        Type.Object({
          id: Type.String(),
          url: Type.String(),
          version: Type.String(),
          startedAt: Time('When it was started.'),
          isLeader: Type.Boolean({ description: 'Whether it runs what only one may.' }),
          isThis: Type.Boolean({ description: 'Whether it is the one that answers.' }),
        }),
        { description: 'The servers on this database that are alive; operators only.' },
      ),
    ),
    counts: Type.Object(
      {
        functions: Type.Integer(),
        triggers: Type.Integer({ description: 'Routes of the router: triggers of the kind http.' }),
        instances: Type.Integer(),
        inFlight: Type.Integer(),
      },
      { description: 'Of the project; of everything for operators.' },
    ),
    environments: Type.Array(ref(EnvironmentSchema)),
  },
  {
    version: '0.1.0',
    startedAt: AT,
    uptimeMs: 5_000,
    roles: ['control', 'data', 'event'],
    isolation: { backend: 'local', tier: 'process', notes: ['bubblewrap with seccomp'] },
    routerUrl: 'http://127.0.0.1:1882',
    notReady: [],
    counts: { functions: 3, triggers: 1, instances: 2, inFlight: 0 },
    environments: [],
  },
)
