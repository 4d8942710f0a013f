import type { InvocationStatus } from '../../core/index.ts'
import type { WireInvocation } from '../client/wire.ts'
import { renderFields } from '../output/table.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo, showBytes, showDuration, showMemory } from '../units.ts'
import { APP_OPTION, causeOf, LIMIT_OPTION, limitOf, TRIGGER_OPTION, triggerOf } from './common.ts'

const LISTED_DEFAULT = 50
const STATUSES: readonly InvocationStatus[] = ['ok', 'error', 'timeout', 'cancelled', 'refused']

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List calls, newest first',
  args: [
    { syntax: '[function]', help: 'Only those of one function: NAME or APP/NAME', completes: 'function' },
  ],
  options: [
    APP_OPTION,
    TRIGGER_OPTION,
    { flags: '--status <status>', help: 'Only those that ended so', choices: STATUSES },
    { flags: '--since <time>', help: 'Only from then on: 10m, 2h, or a date' },
    { flags: '--until <time>', help: 'Only before then' },
    { ...LIMIT_OPTION, help: `At most so many (default: ${LISTED_DEFAULT})` },
  ],
  examples: [
    ['atelier invocation list', 'the newest of the project'],
    ['atelier invocation list --trigger schedule/nightly', 'what one trigger caused'],
    ['atelier invocation list shop/thumbnail --status error --since 1h', 'what went wrong lately'],
  ],
  async run({ context, args, options }) {
    const reference = args[0] === undefined ? undefined : parsePlainReference(args[0], options.text('app'))
    const query = {
      app: reference?.app ?? options.text('app'),
      function: reference?.name,
      ...triggerOf(options),
      status: options.text('status'),
      since: options.time('since', '--since', Date.now()),
      until: options.time('until', '--until', Date.now()),
    }
    const items = await (await context.client()).all<WireInvocation>(
      '/v1/invocations',
      query,
      limitOf(options, LISTED_DEFAULT),
    )
    await context.list(
      items,
      [
        { title: 'ID', cell: one => one.id },
        { title: 'FUNCTION', cell: one => `${one.appName}/${one.functionName}:${one.version}` },
        { title: 'WHEN', cell: one => showAgo(one.startedAt, Date.now()) },
        { title: 'TRIGGER', cell: one => causeOf(one) },
        { title: 'STATUS', cell: one => one.status },
        { title: 'HTTP', cell: one => one.httpStatus || '', right: true },
        { title: 'COLD', cell: one => (one.cold ? 'cold' : '') },
        {
          title: 'TOTAL',
          cell: one => showDuration(one.queuedMs + one.startingMs + one.initialisingMs + one.runningMs),
          right: true,
        },
        { title: 'BILLED', cell: one => showDuration(one.billedMs), right: true },
      ],
      'There were no calls that match.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one call: where its time went and what it used',
  args: [{ syntax: '<id>', help: 'The invocation id, as in the header Atelier-Invocation-Id' }],
  examples: [['atelier invocation show 01jd8m3v5r0000000000000000', 'one call']],
  async run({ context, args }) {
    const one = await (await context.client()).get<WireInvocation>(
      `/v1/invocations/${encodeURIComponent(args[0]!)}`,
    )
    await context.result(one, () =>
      renderFields([
        ['id', one.id],
        ['function', `${one.appName}/${one.functionName} version ${one.version}`],
        ['trigger', causeOf(one)],
        ['status', one.fault ? `${one.status} (the ${one.fault}'s fault)` : one.status],
        ['http status', one.httpStatus || undefined],
        ['error', one.errorMessage && `${one.errorCode ?? ''} ${one.errorMessage}`.trim()],
        ['started', one.startedAt],
        ['attempt', one.attempt],
        ['held', one.heldMs === undefined ? undefined : showDuration(one.heldMs)],
        ['queued', showDuration(one.queuedMs)],
        ['starting', one.cold ? showDuration(one.startingMs) : undefined],
        ['initialising', one.cold ? showDuration(one.initialisingMs) : undefined],
        ['running', showDuration(one.runningMs)],
        ['billed', `${showDuration(one.billedMs)} at ${one.memoryMiB} MiB`],
        ['memory peak', one.memoryPeakBytes === undefined ? undefined : showMemory(one.memoryPeakBytes)],
        ['bytes', `${showBytes(one.bytesIn)} in, ${showBytes(one.bytesOut)} out`],
        ['instance', one.instanceId && `${one.instanceId}${one.cold ? ' (cold)' : ''}`],
        ['traceparent', one.traceparent],
      ]),
    )
    context.note(context.noteStyles.dim(`What it printed: atelier logs --invocation ${one.id}`))
  },
}

export const invocation: GroupSpec = {
  name: 'invocation',
  aliases: ['invocations'],
  summary: 'Look at calls and where their time went',
  commands: [list, show],
}
