import { parsePlainReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { showBytes, showDuration } from '../units.ts'
import { APP_OPTION } from './common.ts'

interface WireUsageRow {
  readonly day: string
  readonly appName: string
  readonly functionName: string
  readonly calls: number
  readonly errors: number
  readonly billedMs: number
  readonly memoryMiBMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}

const MIB_MS_PER_GIB_S = 1024 * 1000

export const usageCommand: CommandSpec = {
  name: 'usage',
  summary: 'Show what was used, by day and function',
  details: 'Days are in UTC. GiB-s is reserved memory times billed time. "total" adds everything up.',
  args: [{ syntax: '[function]', help: 'Only of one function: NAME or APP/NAME', completes: 'function' }],
  options: [
    APP_OPTION,
    { flags: '--from <time>', help: 'From then on: 7d, or a date (default: 30d)' },
    { flags: '--to <time>', help: 'Up to then (default: now)' },
  ],
  examples: [
    ['atelier usage', 'the last 30 days of the project'],
    [
      'atelier usage shop/thumbnail --from 2030-01-01 --to 2030-02-01 -o json',
      'a month of one function, for a bill',
    ],
  ],
  async run({ context, args, options }) {
    const reference = args[0] === undefined ? undefined : parsePlainReference(args[0], options.text('app'))
    const now = Date.now()
    const query = {
      app: reference?.app ?? options.text('app'),
      function: reference?.name,
      from: options.time('from', '--from', now) ?? new Date(now - 30 * 86_400_000).toISOString(),
      to: options.time('to', '--to', now),
    }
    const { items } = await (await context.client()).get<{ items: readonly WireUsageRow[] }>(
      '/v1/usage',
      query,
    )
    if (context.format !== 'table') return await context.list(items, [], '')
    const rows = items.length > 1 ? [...items, totalOf(items)] : items
    await context.list(
      rows,
      [
        { title: 'DAY', cell: one => one.day },
        { title: 'FUNCTION', cell: one => (one.appName ? `${one.appName}/${one.functionName}` : '') },
        { title: 'CALLS', cell: one => one.calls, right: true },
        { title: 'ERRORS', cell: one => one.errors, right: true },
        { title: 'BILLED', cell: one => showDuration(one.billedMs), right: true },
        {
          title: 'GIB-S',
          cell: one => Number((one.memoryMiBMs / MIB_MS_PER_GIB_S).toPrecision(4)),
          right: true,
        },
        { title: 'IN', cell: one => showBytes(one.bytesIn), right: true },
        { title: 'OUT', cell: one => showBytes(one.bytesOut), right: true },
      ],
      'Nothing was used in that time.',
    )
  },
}

function totalOf(rows: readonly WireUsageRow[]): WireUsageRow {
  const sum = (pick: (row: WireUsageRow) => number): number =>
    rows.reduce((total, row) => total + pick(row), 0)
  return {
    day: 'total',
    appName: '',
    functionName: '',
    calls: sum(row => row.calls),
    errors: sum(row => row.errors),
    billedMs: sum(row => row.billedMs),
    memoryMiBMs: sum(row => row.memoryMiBMs),
    bytesIn: sum(row => row.bytesIn),
    bytesOut: sum(row => row.bytesOut),
  }
}
