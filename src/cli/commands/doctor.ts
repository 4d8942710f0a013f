import { EXIT } from '../failure.ts'
import type { CommandSpec } from '../spec.ts'

export const doctor: CommandSpec = {
  name: 'doctor',
  summary: 'Check this machine and the way to the server',
  details: `Looks at what a server on this machine needs, and whether the server of your login answers. "warn" is something that works less well
without, "fail" something that does not work; each says what to do. Ends with 1 when something fails.`,
  options: [
    { flags: '--port <port>', help: 'Port that the API of a server here would use' },
    { flags: '--router-port <port>', help: 'Port that its router would use' },
  ],
  examples: [
    ['atelier doctor', 'everything'],
    ['atelier doctor -o json', 'for a program'],
  ],
  async run({ context, options }) {
    const [{ machineChecks }, { languageChecks }, { serverChecks }, core] = await Promise.all([
      import('../doctor/machine.ts'),
      import('../doctor/languages.ts'),
      import('../doctor/server.ts'),
      import('../../core/index.ts'),
    ])
    const range = { min: 1, max: 65_535 }
    const checks = [
      ...machineChecks(context.env),
      ...(await languageChecks(context.env)),
      ...serverChecks(context, {
        control: options.integer('port', '--port', range) ?? core.CONTROL_PORT_DEFAULT,
        router: options.integer('routerPort', '--router-port', range) ?? core.ROUTER_PORT_DEFAULT,
      }),
    ]
    const items = await Promise.all(checks.map(async ({ name, look }) => ({ name, ...(await look()) })))
    const { green, yellow, red, dim } = context.styles
    const marks = { ok: green('ok  '), warn: yellow('warn'), fail: red('fail') }
    const width = Math.max(...items.map(item => item.name.length))
    await context.result({ items }, () =>
      items.flatMap(item => [
        `${marks[item.state]}  ${item.name.padEnd(width)}  ${item.found}`,
        ...(item.remedy ? [dim(`      ${' '.repeat(width)}  ${item.remedy}`)] : []),
      ]),
    )
    if (items.some(item => item.state === 'fail')) context.exitCode = EXIT.failed
  },
}
