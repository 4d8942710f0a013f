import { runServer, type ServerOption, serverOptions } from '../../server/index.ts'
import type { CommandSpec, OptionSpec } from '../spec.ts'

export const server: CommandSpec = {
  name: 'server',
  summary: 'Run the server: API, router and sandboxes in one process',
  details:
    'Settings come from the defaults, the file of --config, the environment (ATELIER_PORT for --port, and so on) and the ' +
    'flags, each over the one before. SIGTERM and Ctrl-C let running calls finish; a second one ends at once. SIGUSR2, or ' +
    '"atelier restart", has a new process take over.',
  options: [
    { flags: '--config <file>', help: 'YAML or JSON file with settings by name' },
    ...(serverOptions as readonly ServerOption[]).map(asOption),
  ],
  examples: [
    ['atelier server', 'API on 1881, router on 1882, data in the home directory'],
    ['atelier server --home /var/lib/atelier --host 0.0.0.0', 'for other machines too'],
    ['atelier server --config /etc/atelier.yaml --log-level warn', 'settings from a file'],
  ],
  async run({ context, options }) {
    context.needsReader = false
    context.handlesSignals = true
    const flags = Object.fromEntries(serverOptions.map(({ name }) => [name, options.text(camelCase(name))]))
    context.exitCode = await runServer(flags, options.text('config'))
  },
}

function asOption(option: ServerOption): OptionSpec {
  const fallback = option.default === undefined || option.default === '' ? '' : ` (default ${option.default})`
  return {
    flags: `--${option.name} <${option.type === 'integer' ? 'number' : option.type === 'boolean' ? 'true|false' : 'value'}>`,
    help: `${option.description}${fallback}`,
    ...(option.choices === undefined ? {} : { choices: option.choices }),
  }
}

/** `router-port` as commander names its value. */
function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
