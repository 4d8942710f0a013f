import { runServer } from '../../server/index.ts'
import { usage } from '../failure.ts'
import type { CommandSpec, OptionSpec } from '../spec.ts'

const PORT_DEFAULT = '10001'

/** Picasso's own flags and variables; a flag wins over its variable. */
const SETTINGS = [
  ['host', 'text', 'PICASSO_HOST', 'Address to listen on (default 0.0.0.0)'],
  ['port', 'integer', 'PICASSO_PORT', `Port of Picasso's API (default ${PORT_DEFAULT})`],
  ['db-uri', 'text', 'PICASSO_DB', 'Database, mysql://user:password@host/database. Without it: files'],
  [
    'keystone-endpoint',
    'text',
    'KEYSTONE_ENDPOINT',
    'Keystone that keeps users and projects (docs/keystone.md). Without it: this server',
  ],
  [
    'functions-url',
    'text',
    'FUNCTIONS_URL',
    'An IronFunctions that runs the functions. Without it: this server',
  ],
  ['log-level', 'text', 'PICASSO_LOG_LEVEL', 'DEBUG, INFO, WARNING, ERROR or CRITICAL (default INFO)'],
  ['log-file', 'text', 'PICASSO_LOG_FILE', 'File that the log goes to. Without it: standard error'],
] as const

const LEVELS: Readonly<Record<string, string>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  WARN: 'warn',
  ERROR: 'error',
  CRITICAL: 'error',
}

type Name = (typeof SETTINGS)[number][0]

export const picassoApi: CommandSpec = {
  name: 'picasso-api',
  summary: 'Run the server as Picasso, with its flags and variables',
  details:
    `Everything else is set as for "atelier server" (ATELIER_HOME, …). Picasso's variables: ${SETTINGS.map(each => each[2]).join(', ')}; ` +
    'so a Dockerfile.env of Picasso works as it is. Beside Picasso, the API and the router of Atelier listen on their own ports.',
  options: [
    ...SETTINGS.map(
      ([name, kind, , help]): OptionSpec => ({ flags: `--${name} <${kind.toUpperCase()}>`, help }),
    ),
    { flags: '--debug', help: 'As --log-level DEBUG' },
  ],
  examples: [
    ['atelier picasso-api', 'on port 10001, with its own users and its own engine'],
    ['PICASSO_PORT=10002 atelier picasso-api --log-level DEBUG', 'on another port'],
  ],
  async run({ context, options }) {
    context.needsReader = false
    context.handlesSignals = true
    const given = (name: Name): string | undefined => {
      const variable = SETTINGS.find(each => each[0] === name)![2]
      const flag = options.text(name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()))
      return flag ?? (process.env[variable] || undefined)
    }
    const port = given('port') ?? PORT_DEFAULT
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
      throw usage(
        `--port ${JSON.stringify(port)} is not a port, as PICASSO_PORT must be too`,
        'Give a number from 0 to 65535.',
      )
    context.exitCode = await runServer(serverFlags(given, options.flag('debug')), undefined)
  },
}

/** The server's settings for Picasso's. */
export function serverFlags(
  given: (name: Name) => string | undefined,
  isDebug: boolean,
): Record<string, string | undefined> {
  const level = given('log-level')
  return {
    host: given('host') ?? '0.0.0.0',
    dialects: `picasso:${given('port') ?? PORT_DEFAULT}`,
    'db-uri': given('db-uri'),
    ...(given('keystone-endpoint') && {
      identity: 'keystone',
      'keystone-endpoint': given('keystone-endpoint'),
    }),
    'picasso-functions-url': given('functions-url'),
    'log-level': isDebug ? 'debug' : level && (LEVELS[level.toUpperCase()] ?? level),
    'log-file': given('log-file'),
  }
}
