import { checkName } from '../../core/index.ts'
import type { WireEventTrigger, WireRecordedRequest } from '../client/wire.ts'
import { usage } from '../failure.ts'
import type { ArgSpec, CommandSpec } from '../spec.ts'
import { showBytes } from '../units.ts'
import { dataOf, LIMIT_OPTION, limitOf } from './common.ts'
import { parseData } from './trigger-input.ts'
import { kinds } from './trigger-kinds.ts'

const DATA_BYTES_MAX = 6 * 1024 * 1024
const REQUESTS_DEFAULT = 20
const REQUESTS_MAX = 100 // what the API answers with

/** What is done with triggers that wait for events. */
export const TRIGGER_ARG: ArgSpec = { syntax: '<trigger>', help: 'Name of the trigger', completes: 'trigger' }

const fire: CommandSpec = {
  name: 'fire',
  summary: 'Fire a trigger by hand',
  details:
    'The event is as its kind makes them, with other data when some is given. Works while it is paused.',
  args: [TRIGGER_ARG],
  options: [{ flags: '-d, --data <json>', help: 'The data of the event: JSON, @FILE, or "-" for stdin' }],
  examples: [
    ['atelier trigger fire nightly', 'an event as the clock makes them'],
    ['atelier trigger fire nightly --data \'{"table":"orders"}\'', 'with data of its own'],
    ['atelier trigger fire nightly -d @event.json', 'with data from a file'],
  ],
  async run({ context, args, options }) {
    const data = options.text('data')
    const json = data === undefined ? undefined : parseData((await dataOf(data, DATA_BYTES_MAX)).toString())
    const path = `${pathOf(args[0]!)}/fire`
    const { id } = await (await context.client()).request<{ id: string }>('POST', path, {
      ...(json !== undefined && { json }),
    })
    await context.result({ id }, () => [id])
    context.note(`It is call ${id}: see "atelier invocation show ${id}".`)
  },
}

function toggle(name: 'pause' | 'resume', summary: string, does: string): CommandSpec {
  return {
    name,
    summary,
    args: [TRIGGER_ARG],
    examples: [[`atelier trigger ${name} nightly`, does]],
    async run({ context, args }) {
      const path = `${pathOf(args[0]!)}/${name}`
      const one = await (await context.client()).request<WireEventTrigger>('POST', path)
      await context.result(one, () => [`Trigger ${one.name} is ${one.paused ? 'paused' : 'running'}.`])
    },
  }
}

const rotate: CommandSpec = {
  name: 'rotate',
  summary: 'Give a trigger a new secret URL',
  args: [TRIGGER_ARG],
  options: [{ flags: '--grace <time>', help: 'How long the old URL works still (default: not at all)' }],
  examples: [['atelier trigger rotate github --grace 1d', 'a day to tell the other side']],
  async run({ context, args, options }) {
    const graceMs = options.durationMs('grace', '--grace')
    const json = graceMs === undefined ? {} : { graceMs }
    const path = `${pathOf(args[0]!)}/rotate`
    const one = await (await context.client()).request<WireEventTrigger>('POST', path, { json })
    await context.result(one, () => [one.url ?? ''])
  },
}

const seek: CommandSpec = {
  name: 'seek',
  summary: 'Read again, or skip, what a source keeps',
  args: [TRIGGER_ARG],
  options: [
    { flags: '--position <number>', help: 'Go on after this position' },
    { flags: '--at <time>', help: 'Go on with the first event of this time: 2h ago, or a date' },
  ],
  examples: [['atelier trigger seek orders --at 2h', 'the last two hours once more']],
  async run({ context, args, options }) {
    const position = options.integer('position', '--position', { min: 0 })
    const at = options.time('at', '--at', Date.now())
    if ((position === undefined) === (at === undefined)) throw usage('give one of --position and --at')
    const json = position === undefined ? { at } : { position }
    const path = `${pathOf(args[0]!)}/seek`
    const one = await (await context.client()).request<WireEventTrigger>('POST', path, { json })
    await context.result(one, () => [`Trigger ${one.name} goes on from there.`])
  },
}

const requests: CommandSpec = {
  name: 'requests',
  summary: "Show the last requests that came to a trigger's URL",
  args: [TRIGGER_ARG],
  options: [
    {
      ...LIMIT_OPTION,
      help: `At most so many, up to ${REQUESTS_MAX} (default: ${REQUESTS_DEFAULT})`,
    },
  ],
  examples: [['atelier trigger requests github', 'the last twenty']],
  async run({ context, args, options }) {
    const path = `${pathOf(args[0]!)}/requests`
    const { items } = await (await context.client()).get<{ items: WireRecordedRequest[] }>(path, {
      limit: Math.min(limitOf(options, REQUESTS_DEFAULT), REQUESTS_MAX),
    })
    await context.list(
      items,
      [
        { title: 'ID', cell: one => one.id },
        { title: 'RECEIVED', cell: one => one.receivedAt },
        { title: 'FROM', cell: one => one.remoteAddress },
        { title: 'METHOD', cell: one => one.method },
        { title: 'SIZE', cell: one => showBytes(one.bodyBytes) },
        { title: 'OUTCOME', cell: one => one.outcome },
        { title: 'DETAIL', cell: one => one.detail ?? one.callId ?? '' },
      ],
      'No request is kept.',
    )
  },
}

const replay: CommandSpec = {
  name: 'replay',
  summary: 'Handle a recorded request once more',
  args: [TRIGGER_ARG, { syntax: '<request>', help: 'Its id, as "atelier trigger requests" shows it' }],
  examples: [['atelier trigger replay github 01k9zq5m3b8t5v2c7x4n6r1d0e', 'that request']],
  async run({ context, args }) {
    const path = `${pathOf(args[0]!)}/requests/${encodeURIComponent(args[1]!)}/replay`
    const result = await (await context.client()).request<{ calls: { id: string }[] }>('POST', path)
    await context.result(result, () => result.calls.map(call => call.id))
  },
}

export function pathOf(name: string): string {
  checkName(name, 'trigger')
  return `/v1/triggers/${name}`
}

export const eventCommands: readonly CommandSpec[] = [
  fire,
  toggle('pause', 'Let a trigger take no events', 'until it is resumed'),
  toggle('resume', 'Let a trigger take events again', 'from now on'),
  rotate,
  seek,
  requests,
  replay,
  kinds,
]
