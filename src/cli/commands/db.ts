import type { TablesStatus } from '../../server/index.ts'
import type { Options } from '../options.ts'
import type { CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'

const PLACE: readonly OptionSpec[] = [
  { flags: '--db-uri <uri>', help: 'Database, as for the server' },
  { flags: '--home <folder>', help: 'Data directory of the server (default: as the server finds it)' },
  { flags: '--config <file>', help: "The server's file of settings" },
]

const migrate: CommandSpec = {
  name: 'migrate',
  summary: 'Bring the tables of a server up to date',
  details: `A server does the same when it starts. One process does it at a time, others wait for it; tables of a newer Atelier are refused.
Where they are in files, the server must be stopped.`,
  options: PLACE,
  examples: [
    ['atelier db migrate', 'before the first start, or before an upgrade of several servers'],
    ['ATELIER_DB_URI=postgres://… atelier db migrate', 'without the password on the command line'],
  ],
  async run({ context, options }) {
    const { migrateTables } = await import('../../server/index.ts')
    const before = await migrateTables(sourcesOf(context.env, options))
    const items = before.map(each => ({ ...wireOf(each), taken: each.known, pending: [] }))
    await context.result({ items }, () =>
      before.map(({ kind, place, pending }) =>
        pending.length === 0
          ? `${kind}: ${place} is up to date`
          : `${kind}: ${place} is up to date now: ${pending.join(', ')}`,
      ),
    )
  },
}

const status: CommandSpec = {
  name: 'status',
  summary: 'Show how the tables of a server stand to this program',
  details: 'Changes nothing, and may be asked while servers run.',
  options: PLACE,
  examples: [
    ['atelier db status', 'of the data directory'],
    [
      'atelier db status --config /etc/atelier.yaml -o json',
      'for a script: "pending" is empty when nothing is to do',
    ],
  ],
  async run({ context, options }) {
    const { tablesStatus } = await import('../../server/index.ts')
    const all = await tablesStatus(sourcesOf(context.env, options))
    await context.list(
      all.map(wireOf),
      [
        { title: 'TABLES', cell: row => row.kind },
        { title: 'STEP', cell: row => `${row.taken} of ${row.known}` },
        { title: 'STATE', cell: stateOf },
        { title: 'WHERE', cell: row => row.place },
      ],
      '',
    )
  },
}

export const db: GroupSpec = {
  name: 'db',
  summary: 'The tables of a server: look at them, bring them up to date',
  commands: [migrate, status],
}

function sourcesOf(env: Readonly<Record<string, string | undefined>>, options: Options) {
  return {
    flags: { home: options.text('home'), 'db-uri': options.text('dbUri') },
    env,
    file: options.text('config'),
  }
}

function stateOf({ taken, known, pending }: Omit<TablesStatus, 'kind'>): string {
  if (taken > known) return 'of a newer Atelier'
  return pending.length === 0 ? 'up to date' : `to do: ${pending.join(', ')}`
}

function wireOf({ kind, place, taken, known, pending }: TablesStatus) {
  return { kind, place, taken, known, pending, isNewer: taken > known }
}
