import type { AsyncState } from '../../core/index.ts'
import type { WireAsyncCall, WireQueue } from '../client/wire.ts'
import type { Context } from '../context.ts'
import { EXIT, usage } from '../failure.ts'
import { failureText, isOver, waitForEnd, writeResult } from '../invoke/later.ts'
import type { Options } from '../options.ts'
import { renderFields } from '../output/table.ts'
import { parsePlainReference } from '../reference.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { showAgo, showBytes } from '../units.ts'
import { configure } from './async-configure.ts'
import {
  APP_OPTION,
  causeOf,
  confirm,
  FUNCTION_ARG,
  LIMIT_OPTION,
  limitOf,
  TRIGGER_OPTION,
  triggerOf,
  YES_OPTION,
} from './common.ts'

const LISTED_DEFAULT = 50
const STATES: readonly AsyncState[] = ['queued', 'running', 'succeeded', 'failed', 'expired', 'cancelled']
const PATH = '/v1/async-invocations'

const ID_ARG: ArgSpec = { syntax: '<id>', help: 'The id that the call got when it was accepted' }
const ID_OR_FILTER_ARG: ArgSpec = { syntax: '[id]', help: 'One call; without it, all that match the options' }
const FILTER_OPTIONS: readonly OptionSpec[] = [
  { flags: '-f, --function <function>', help: 'Only calls of one function: NAME or APP/NAME' },
  APP_OPTION,
  TRIGGER_OPTION,
  { flags: '--since <time>', help: 'Only accepted from then on: 10m, 2h, or a date' },
  { flags: '--until <time>', help: 'Only accepted before then' },
]

/** What the options choose, as the API has it. */
function filterOf(options: Options): Record<string, string | undefined> {
  const name = options.text('function')
  const reference = name === undefined ? undefined : parsePlainReference(name, options.text('app'))
  return {
    app: reference?.app,
    function: reference?.name,
    ...triggerOf(options),
    since: options.time('since', '--since', Date.now()),
    until: options.time('until', '--until', Date.now()),
  }
}

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List asynchronous calls, newest first',
  options: [
    ...FILTER_OPTIONS,
    { flags: '--state <state>', help: 'Only those that stand so', choices: STATES },
    { ...LIMIT_OPTION, help: `At most so many (default: ${LISTED_DEFAULT})` },
  ],
  examples: [
    ['atelier async list', 'the newest of the project'],
    ['atelier async list -f shop/thumbnail --state failed', 'dead letters of one function'],
  ],
  async run({ context, options }) {
    const query = { ...filterOf(options), state: options.text('state') }
    const client = await context.client()
    const items = await client.all<WireAsyncCall>(PATH, query, limitOf(options, LISTED_DEFAULT))
    await context.list(
      items,
      [
        { title: 'ID', cell: one => one.id },
        { title: 'FUNCTION', cell: one => `${one.appName}/${one.functionName}` },
        { title: 'ACCEPTED', cell: one => showAgo(one.acceptedAt, Date.now()) },
        { title: 'STATE', cell: one => one.state },
        { title: 'ATTEMPTS', cell: one => one.attempts, right: true },
        { title: 'HTTP', cell: one => one.httpStatus || '', right: true },
        { title: 'TRIGGER', cell: one => causeOf(one) },
        { title: 'LAST FAILURE', cell: one => one.lastFailure?.code ?? '' },
      ],
      'There are no asynchronous calls that match. "atelier invoke NAME --async" makes one.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show how an asynchronous call stands',
  args: [ID_ARG],
  examples: [['atelier async show 01jd8m3v5r0000000000000000', 'one call']],
  async run({ context, args }) {
    const client = await context.client()
    await showCall(context, await client.get<WireAsyncCall>(pathOf(args[0]!)))
  },
}

/** One call in full. */
export async function showCall(context: Context, one: WireAsyncCall): Promise<void> {
  await context.result(one, () =>
    renderFields([
      ['id', one.id],
      ['function', `${one.appName}/${one.functionName}${one.qualifier ? `:${one.qualifier}` : ''}`],
      ['trigger', causeOf(one)],
      ['state', one.state],
      ['attempts', one.attempts],
      ['last failure', failureText(one)],
      ['http status', one.httpStatus || undefined],
      ['result', one.resultBytes > 0 ? showBytes(one.resultBytes) : undefined],
      ['ordering key', one.orderingKey],
      ['accepted', one.acceptedAt],
      ['due', isOver(one) ? undefined : one.dueAt],
      ['last attempt', one.startedAt],
      ['ended', one.endedAt],
      ['kept until', one.keptUntil],
    ]),
  )
}

const wait: CommandSpec = {
  name: 'wait',
  summary: 'Wait until an asynchronous call has ended',
  details: 'Ends with 0 when it succeeded, with 1 when it did not, or has not within --timeout.',
  args: [ID_ARG],
  options: [{ flags: '--timeout <time>', help: 'Wait no longer than this: 30s, 5m (default: without end)' }],
  examples: [['atelier async wait 01jd8m3v5r0000000000000000 --timeout 5m', 'at most five minutes']],
  async run({ context, args, options }) {
    const timeoutMs = options.durationMs('timeout', '--timeout') ?? Number.POSITIVE_INFINITY
    const one = await waitForEnd(await context.client(), pathOf(args[0]!), timeoutMs)
    if (one.state !== 'succeeded') context.exitCode = EXIT.failed
    await showCall(context, one)
  },
}

const result: CommandSpec = {
  name: 'result',
  summary: 'Print what the function answered',
  details:
    'Ends with 1 when the function answered with a status of 400 or more. -o json and yaml show it as "atelier invoke" does.',
  args: [ID_ARG],
  options: [{ flags: '-w, --wait', help: 'Wait for the end of the call first' }],
  examples: [
    ['atelier async result 01jd8m3v5r0000000000000000', 'print it'],
    ['atelier async result 01jd8m3v5r0000000000000000 --wait > thumb.jpg', 'wait for it, into a file'],
  ],
  async run({ context, args, options }) {
    const client = await context.client()
    const path = pathOf(args[0]!)
    if (options.flag('wait')) await waitForEnd(client, path, Number.POSITIVE_INFINITY)
    await writeResult(context, client, args[0]!)
  },
}

const cancel: CommandSpec = {
  name: 'cancel',
  summary: 'Call off one asynchronous call, or all that wait and match',
  args: [ID_OR_FILTER_ARG],
  options: [...FILTER_OPTIONS, YES_OPTION],
  examples: [
    ['atelier async cancel 01jd8m3v5r0000000000000000', 'one, also while it runs'],
    ['atelier async cancel -f shop/thumbnail --yes', 'all that wait for a function'],
  ],
  run: ({ context, args, options }) =>
    oneOrMany(
      context,
      args[0],
      options,
      'cancel',
      'Call off everything that waits and matches?',
      'called off',
    ),
}

const redrive: CommandSpec = {
  name: 'redrive',
  summary: 'Queue dead letters again, one or all that match',
  details: 'Dead letters are calls that failed or expired. They get fresh attempts and a fresh age.',
  args: [ID_OR_FILTER_ARG],
  options: [...FILTER_OPTIONS, YES_OPTION],
  examples: [
    ['atelier async redrive 01jd8m3v5r0000000000000000', 'one'],
    ['atelier async redrive -f shop/thumbnail --since 1h', 'what failed lately'],
  ],
  run: ({ context, args, options }) =>
    oneOrMany(
      context,
      args[0],
      options,
      'redrive',
      'Queue all dead letters that match again?',
      'queued again',
    ),
}

const forget: CommandSpec = {
  name: 'forget',
  summary: 'Forget calls that have ended and match, with their results',
  options: [
    ...FILTER_OPTIONS,
    { flags: '--state <state>', help: 'Only those that ended so', choices: STATES.slice(2) },
    YES_OPTION,
  ],
  examples: [['atelier async forget -f shop/thumbnail --state failed --yes', 'dead letters of one function']],
  async run({ context, options }) {
    await confirm(context, options, 'Forget all calls that have ended and match?')
    const state = options.text('state')
    const json = { ...filterOf(options), ...(state !== undefined && { states: [state] }) }
    await tellMany(context, 'forget', json, 'forgotten')
  },
}

const queue: CommandSpec = {
  name: 'queue',
  summary: "Show how a function's queue stands",
  args: [FUNCTION_ARG],
  options: [APP_OPTION],
  examples: [['atelier async queue shop/thumbnail', 'how many wait, run, and failed']],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const one = await (await context.client()).get<WireQueue>(`${path}/queue`)
    await context.result(one, () =>
      renderFields([
        ['queued', one.delayed > 0 ? `${one.queued} (${one.delayed} for later)` : one.queued],
        ['running', one.running],
        ['dead letters', one.deadLetters],
        ['oldest due', one.oldestDueAt && showAgo(one.oldestDueAt, Date.now())],
        ['paused', one.paused ? 'yes' : undefined],
      ]),
    )
  },
}

const pause = switching(
  'pause',
  true,
  'Let the asynchronous calls of a function wait',
  'is paused: calls wait',
)
const resume = switching('resume', false, 'Run the asynchronous calls of a function again', 'runs again')

function switching(name: string, paused: boolean, summary: string, said: string): CommandSpec {
  return {
    name,
    summary,
    args: [FUNCTION_ARG],
    options: [APP_OPTION],
    examples: [[`atelier async ${name} shop/thumbnail`, paused ? 'stop for a while' : 'go on']],
    async run({ context, args, options }) {
      const { app, name: functionName, path } = parsePlainReference(args[0]!, options.text('app'))
      const client = await context.client()
      const one = await client.request<object>('PATCH', path, { json: { async: { paused } } })
      await context.result(one, () => [`The queue of ${app}/${functionName} ${said}.`])
    },
  }
}

async function oneOrMany(
  context: Context,
  id: string | undefined,
  options: Options,
  verb: 'cancel' | 'redrive',
  question: string,
  said: string,
): Promise<void> {
  const filter = filterOf(options)
  const isFiltered = Object.values(filter).some(value => value !== undefined)
  if (id !== undefined && isFiltered) throw usage('an id and a filter cannot both be meant')
  if (id === undefined) {
    await confirm(context, options, question)
    return await tellMany(context, verb, filter, said)
  }
  const client = await context.client()
  const one = await client.request<WireAsyncCall>('POST', `${pathOf(id)}/${verb}`)
  await context.result(one, () => [`${one.id} is ${said}.`])
}

async function tellMany(context: Context, verb: string, json: object, said: string): Promise<void> {
  const client = await context.client()
  const { count } = await client.request<{ count: number }>('POST', `${PATH}/${verb}`, { json })
  await context.result({ count }, () => [`${count} ${count === 1 ? 'call is' : 'calls are'} ${said}.`])
}

function pathOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`
}

export const asyncGroup: GroupSpec = {
  name: 'async',
  summary: 'Look after calls that outlive their caller',
  commands: [list, show, wait, result, cancel, redrive, forget, queue, pause, resume, configure],
}
