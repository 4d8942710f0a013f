import type { CommandSpec, GroupSpec } from './spec.ts'

/** A command by name, before its file is loaded. */
export interface CatalogueEntry {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly group: string
  readonly hidden?: boolean
  /** What the name means when nothing follows it: `atelier functions` is a list. */
  readonly alone?: readonly string[]
  load(): Promise<CommandSpec | GroupSpec>
}

const WORK = 'Write, deploy, call:'
const LOOK = 'See what happens:'
const MANAGE = 'Manage a project:'
const SERVER = 'Servers and logins:'
const TOOLS = 'This program:'

/** Every command, in the order of the help. Each lives in its own file, loaded when it is wanted. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: 'init',
    group: WORK,
    summary: 'Begin a function from a template',
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'dev',
    group: WORK,
    summary: 'Run a function on this machine, reloading as you type',
    load: async () => (await import('./commands/dev.ts')).dev,
  },
  {
    name: 'deploy',
    group: WORK,
    summary: 'Deploy a folder or a file and get a URL',
    load: async () => (await import('./commands/deploy.ts')).deploy,
  },
  {
    name: 'rollback',
    group: WORK,
    summary: 'Go back to an earlier version',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  {
    name: 'invoke',
    aliases: ['call'],
    group: WORK,
    summary: 'Call a function',
    load: async () => (await import('./commands/invoke.ts')).invoke,
  },

  {
    name: 'logs',
    group: LOOK,
    summary: 'Show what a function printed',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'invocation',
    alone: ['invocation', 'list'],
    aliases: ['invocations'],
    group: LOOK,
    summary: 'Look at calls and where their time went',
    load: async () => (await import('./commands/invocation.ts')).invocation,
  },
  {
    name: 'async',
    alone: ['async', 'list'],
    group: LOOK,
    summary: 'Look after calls that outlive their caller',
    load: async () => (await import('./commands/async.ts')).asyncGroup,
  },
  {
    name: 'instance',
    alone: ['instance', 'list'],
    aliases: ['instances'],
    group: LOOK,
    summary: 'Look at running instances, or kill one',
    load: async () => (await import('./commands/instance.ts')).instance,
  },
  {
    name: 'usage',
    group: LOOK,
    summary: 'Show what was used, by day and function',
    load: async () => (await import('./commands/usage.ts')).usageCommand,
  },
  {
    name: 'status',
    group: LOOK,
    summary: 'Show how the server is and how it isolates code',
    load: async () => (await import('./commands/status.ts')).status,
  },

  {
    name: 'function',
    alone: ['function', 'list'],
    aliases: ['functions', 'fn'],
    group: MANAGE,
    summary: 'List, look at, change and delete functions',
    load: async () => (await import('./commands/function.ts')).functionGroup,
  },
  {
    name: 'app',
    alone: ['app', 'list'],
    aliases: ['apps'],
    group: MANAGE,
    summary: 'Group functions that share configuration',
    load: async () => (await import('./commands/app.ts')).app,
  },
  {
    name: 'version',
    alone: ['--version'],
    aliases: ['versions'],
    group: MANAGE,
    summary: 'Look at the versions of a function',
    load: async () => (await import('./commands/version.ts')).version,
  },
  {
    name: 'alias',
    aliases: ['aliases'],
    group: MANAGE,
    summary: 'Name versions, and split calls between them',
    load: async () => (await import('./commands/alias.ts')).alias,
  },
  {
    name: 'trigger',
    alone: ['trigger', 'list'],
    aliases: ['triggers'],
    group: MANAGE,
    summary: 'Have functions called by routes, clocks and other events',
    load: async () => (await import('./commands/trigger.ts')).trigger,
  },
  {
    name: 'topic',
    alone: ['topic', 'list'],
    aliases: ['topics'],
    group: MANAGE,
    summary: 'Keep messages that triggers read at their own pace',
    load: async () => (await import('./commands/topic.ts')).topic,
  },
  {
    name: 'secret',
    alone: ['secret', 'list'],
    aliases: ['secrets'],
    group: MANAGE,
    summary: 'Store values that only functions can read',
    load: async () => (await import('./commands/secret.ts')).secret,
  },
  {
    name: 'package',
    alone: ['package', 'list'],
    aliases: ['packages'],
    group: MANAGE,
    summary: 'Look at deployed source code and its build log',
    load: async () => (await import('./commands/package.ts')).packageGroup,
  },
  {
    name: 'environment',
    alone: ['environment', 'list'],
    aliases: ['environments', 'env'],
    group: MANAGE,
    summary: 'Show which languages the server runs',
    load: async () => (await import('./commands/environment.ts')).environment,
  },
  {
    name: 'project',
    alone: ['project', 'list'],
    aliases: ['projects'],
    group: MANAGE,
    summary: 'Manage projects and who works in them',
    load: async () => (await import('./commands/project.ts')).project,
  },
  {
    name: 'quota',
    alone: ['quota', 'show'],
    aliases: ['quotas'],
    group: MANAGE,
    summary: 'What projects may have, and how much of it they have',
    load: async () => (await import('./commands/quota.ts')).quota,
  },
  {
    name: 'user',
    alone: ['user', 'list'],
    aliases: ['users'],
    group: MANAGE,
    summary: 'Manage users',
    load: async () => (await import('./commands/user.ts')).user,
  },

  {
    name: 'server',
    group: SERVER,
    summary: 'Run the server: API, router and sandboxes in one process',
    load: async () => (await import('./commands/server.ts')).server,
  },
  {
    name: 'db',
    alone: ['db', 'status'],
    group: SERVER,
    summary: 'The tables of a server: look at them, bring them up to date',
    load: async () => (await import('./commands/db.ts')).db,
  },
  {
    name: 'picasso-api',
    group: SERVER,
    summary: 'Run the server as Picasso, with its flags and variables',
    load: async () => (await import('./commands/picasso-api.ts')).picassoApi,
  },
  {
    name: 'openstack',
    group: SERVER,
    summary: 'Work beside an OpenStack cloud',
    load: async () => (await import('./commands/openstack.ts')).openstack,
  },
  {
    name: 'login',
    group: SERVER,
    summary: 'Log in to a server',
    load: async () => (await import('./commands/login.ts')).login,
  },
  {
    name: 'logout',
    group: SERVER,
    summary: 'Forget the login',
    load: async () => (await import('./commands/logout.ts')).logout,
  },
  {
    name: 'whoami',
    group: SERVER,
    summary: 'Show who you are and where',
    load: async () => (await import('./commands/whoami.ts')).whoami,
  },
  {
    name: 'token',
    group: SERVER,
    summary: 'Print a token, for curl and other programs',
    load: async () => (await import('./commands/token.ts')).token,
  },

  {
    name: 'doctor',
    group: SERVER,
    summary: 'Check this machine and the way to the server',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'restart',
    group: SERVER,
    summary: 'Restart the server of this machine without refusing a request',
    load: async () => (await import('./commands/restart.ts')).restart,
  },
  {
    name: 'backup',
    group: SERVER,
    summary: "Copy a server's data, while it runs",
    load: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    name: 'restore',
    group: SERVER,
    summary: 'Put a backup back in place',
    load: async () => (await import('./commands/restore.ts')).restore,
  },

  {
    name: 'completion',
    group: TOOLS,
    summary: 'Print a completion script for your shell',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: '__complete',
    group: TOOLS,
    summary: 'Answer the completion scripts',
    hidden: true,
    load: async () => (await import('./commands/complete.ts')).complete,
  },
]
