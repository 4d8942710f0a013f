import type { WireAlias, WireVersion } from '../client/wire.ts'
import { usage } from '../failure.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { APP_OPTION, FUNCTION_ARG } from './common.ts'

export const rollback: CommandSpec = {
  name: 'rollback',
  summary: 'Go back to an earlier version',
  details:
    'Moves the alias "live" to the version given, or to the one that was live before. The next call runs it.',
  args: [
    FUNCTION_ARG,
    { syntax: '[version]', help: 'Number of the version (default: the one that was live before)' },
  ],
  options: [APP_OPTION],
  examples: [
    ['atelier rollback thumbnail', 'to the version that was live before'],
    ['atelier rollback shop/thumbnail 3', 'to version 3'],
  ],
  async run({ context, args, options }) {
    const reference = parsePlainReference(args[0]!, options.text('app'))
    const version = parseVersion(args[1])
    const client = await context.client()
    const result = await client.request<{ alias: WireAlias; version: WireVersion }>(
      'POST',
      `${reference.path}/rollback`,
      {
        json: version === undefined ? {} : { version },
      },
    )
    await context.result(result, () => [
      `${reference.app}/${reference.name} version ${result.version.number} is live.`,
    ])
  },
}

/** A version number as typed; `undefined` for none. */
export function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const match = /^v?([1-9]\d{0,8})$/.exec(text)
  if (!match)
    throw usage(
      `${JSON.stringify(text)} is not a version number`,
      '"atelier version list FUNCTION" shows them.',
    )
  return Number(match[1])
}
