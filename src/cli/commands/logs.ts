import { setTimeout as sleep } from 'node:timers/promises'
import type { WireInvocation, WireLogLine } from '../client/wire.ts'
import type { Context } from '../context.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { printable } from '../output/styles.ts'
import { jsonText } from '../output/value.ts'
import { parsePlainReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { APP_OPTION, limitOf } from './common.ts'

const LINES_DEFAULT = 100
const RECONNECTS_MAX = 30
const RECONNECT_AFTER_MS = 1000

export const logs: CommandSpec = {
  name: 'logs',
  summary: 'Show what a function printed',
  details: 'With -o json each line is one JSON object, as it comes.',
  args: [
    { syntax: '[function]', help: 'NAME or APP/NAME; not needed with --invocation', completes: 'function' },
  ],
  options: [
    APP_OPTION,
    { flags: '-f, --follow', help: 'Go on with new lines as they come, until Ctrl-C' },
    { flags: '--since <time>', help: 'Only from then on: 10m, 2h, or a date' },
    { flags: '--until <time>', help: 'Only before then' },
    { flags: '--grep <text>', help: 'Only lines with this text in them' },
    { flags: '--invocation <id>', help: 'Only what one call printed' },
    { flags: '-n, --limit <count>', help: `At most so many lines, the newest (default: ${LINES_DEFAULT})` },
  ],
  examples: [
    ['atelier logs shop/thumbnail', 'the newest lines'],
    ['atelier logs thumbnail -f --since 10m', 'the last ten minutes, and on'],
    ["atelier logs thumbnail --since 2h --until 1h --grep 'out of memory'", 'what an incident left'],
    ['atelier logs --invocation 01jd8m3v5r0000000000000000', 'one call'],
  ],
  async run({ context, args, options }) {
    const invocation = options.text('invocation')
    const follow = options.flag('follow')
    if (args[0] === undefined && invocation === undefined)
      throw usage(
        'whose logs?',
        'Give a function or --invocation ID; "atelier function list" shows what there is.',
      )
    if (follow && options.text('until') !== undefined)
      throw usage('--follow goes on with what comes, and --until ends before it')
    const client = await context.client()
    const limit = limitOf(options, LINES_DEFAULT)
    if (args[0] === undefined) {
      const record = await client.get<WireInvocation>(`/v1/invocations/${encodeURIComponent(invocation!)}`)
      args = [`${record.appName}/${record.functionName}`]
    }
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    let since = options.time('since', '--since', Date.now())
    const filter = {
      invocation,
      until: options.time('until', '--until', Date.now()),
      contains: options.text('grep'),
      follow: follow || undefined,
    }
    for (let lost = 0; ; lost++) {
      try {
        const query = { ...filter, since, limit: lost > 0 ? undefined : limit }
        for await (const line of client.lines<WireLogLine>('GET', `${path}/logs`, { query })) {
          lost = 0
          since = new Date(Date.parse(line.at) + 1).toISOString()
          show(context, line)
        }
        if (!follow) return
        throw new CliFailure(EXIT.unreachable, 'the server ended the stream')
      } catch (error) {
        if (follow && context.signal.aborted) {
          context.exitCode = EXIT.interrupted // Ctrl-C is how following ends: nothing to say about it
          return
        }
        const gone = error instanceof CliFailure && error.exitCode === EXIT.unreachable
        if (!follow || !gone || lost >= RECONNECTS_MAX || since === undefined) throw error
        if (lost === 0) context.note('The connection is lost; trying again.')
        await sleep(RECONNECT_AFTER_MS, undefined, { signal: context.signal }).catch(() => undefined)
      }
    }
  },
}

function show(context: Context, line: WireLogLine): void {
  if (context.format !== 'table') {
    context.print(jsonText(line))
    return
  }
  const { dim, red, yellow } = context.styles
  // On a terminal the time of day is enough; what goes into a file keeps its date.
  const at =
    context.width === undefined
      ? line.at
      : new Date(line.at).toTimeString().slice(0, 8) + line.at.slice(19, 23)
  const paint = line.stream === 'stderr' ? red : line.stream === 'platform' ? yellow : (text: string) => text
  const call = line.invocationId?.slice(-6) ?? '-'.repeat(6)
  for (const text of line.text.replace(/\n$/, '').split('\n'))
    context.print(`${dim(`${at} v${line.version} ${call}`)} ${paint(printable(text))}`)
}
