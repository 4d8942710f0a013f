import type { AsyncSettings, Destination } from '../../core/index.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { renderFields } from '../output/table.ts'
import { parsePlainReference, parseReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { showDuration } from '../units.ts'
import { APP_OPTION, FUNCTION_ARG } from './common.ts'

const FAILURES = ['error', 'status', 'timeout', 'crash', 'platform']

export const configure: CommandSpec = {
  name: 'configure',
  summary: 'Show or change how a function treats asynchronous calls',
  details: `Without options it shows what holds. A change holds at once, also for calls that wait. Destinations are written APP/NAME for a function,
https://… for a webhook, topic:NAME for a topic, or "none".`,
  args: [FUNCTION_ARG],
  options: [
    APP_OPTION,
    { flags: '--attempts <count>', help: 'Attempts in all; 1 is no retry' },
    { flags: '--retry-delay <time>', help: 'Wait before the second attempt' },
    { flags: '--retry-factor <number>', help: 'What the wait grows by each time' },
    { flags: '--retry-delay-max <time>', help: 'Longest wait between attempts' },
    { flags: '--jitter <part>', help: 'Part of each wait that is left to chance, 0 to 1' },
    { flags: '--retry-on <failures>', help: `What is tried again, with commas: ${FAILURES.join(',')}` },
    { flags: '--max-age <time>', help: 'Give up on a call that has not succeeded so long after it was due' },
    { flags: '--keep <time>', help: 'How long calls that have ended are kept, with their results' },
    { flags: '--at-once <count>', help: 'Asynchronous calls that run at once' },
    { flags: '--queue-max <count>', help: 'Calls that may wait' },
    { flags: '--on-success <destination>', help: 'Where the outcome of a call goes that succeeded' },
    { flags: '--on-failure <destination>', help: 'Where the outcome of a call goes that failed or expired' },
    { flags: '--defaults', help: 'Go back to the defaults first' },
  ],
  examples: [
    ['atelier async configure shop/thumbnail', 'what holds'],
    ['atelier async configure shop/thumbnail --attempts 5 --retry-delay 10s', 'more patience'],
    ['atelier async configure shop/thumbnail --on-failure topic:failed', 'tell a topic of dead letters'],
  ],
  async run({ context, args, options }) {
    const { path } = parsePlainReference(args[0]!, options.text('app'))
    const change = changeFrom(options)
    const client = await context.client()
    const one =
      Object.keys(change).length === 0
        ? await client.get<{ async: AsyncSettings }>(path)
        : await client.request<{ async: AsyncSettings }>('PATCH', path, { json: { async: change } })
    await context.result(one.async, () => renderFields(fieldsOf(one.async)))
  },
}

const ALL_DEFAULT = {
  retry: null,
  maxAgeMs: null,
  resultKeptMs: null,
  concurrencyMax: null,
  queuedMax: null,
  paused: null,
  onSuccess: null,
  onFailure: null,
}

function changeFrom(options: Options): Record<string, unknown> {
  const retry = defined({
    attemptsMax: options.integer('attempts', '--attempts', { min: 1 }),
    delayMs: options.durationMs('retryDelay', '--retry-delay'),
    factor: options.number('retryFactor', '--retry-factor'),
    delayMsMax: options.durationMs('retryDelayMax', '--retry-delay-max'),
    jitter: options.number('jitter', '--jitter'),
    on: options.text('retryOn')?.split(','),
  })
  return {
    ...(options.flag('defaults') && ALL_DEFAULT),
    ...(Object.keys(retry).length > 0 && { retry }),
    ...defined({
      maxAgeMs: options.durationMs('maxAge', '--max-age'),
      resultKeptMs: options.durationMs('keep', '--keep'),
      concurrencyMax: options.integer('atOnce', '--at-once', { min: 1 }),
      queuedMax: options.integer('queueMax', '--queue-max', { min: 0 }),
      onSuccess: destinationOf(options.text('onSuccess'), '--on-success'),
      onFailure: destinationOf(options.text('onFailure'), '--on-failure'),
    }),
  }
}

/** `null` takes one away. */
function destinationOf(text: string | undefined, flag: string): Destination | null | undefined {
  if (text === undefined) return undefined
  if (text === 'none') return null
  if (/^https?:\/\//i.test(text)) return { kind: 'webhook', url: text }
  const topic = /^topic:(.+)$/.exec(text)?.[1]
  if (topic !== undefined) return { kind: 'topic', topic }
  if (text.includes('://')) throw usage(`${flag} ${JSON.stringify(text)} is not an http address`)
  const { app, name, qualifier } = parseReference(text)
  return { kind: 'function', app, function: name, ...(qualifier !== undefined && { alias: qualifier }) }
}

function fieldsOf(one: AsyncSettings): (readonly [string, string | number | undefined])[] {
  const { retry } = one
  return [
    ['attempts', retry.attemptsMax],
    [
      'retry delay',
      `${showDuration(retry.delayMs)}, times ${retry.factor} each time, at most ${showDuration(retry.delayMsMax)}, ${Math.round(retry.jitter * 100)} % left to chance`,
    ],
    ['tried again', retry.on.join(', ') || 'nothing'],
    ['maximum age', showDuration(one.maxAgeMs)],
    ['results kept', showDuration(one.resultKeptMs)],
    ['at once', one.concurrencyMax],
    ['queue at most', one.queuedMax],
    ['paused', one.paused ? 'yes' : undefined],
    ['on success', one.onSuccess && showDestination(one.onSuccess)],
    ['on failure', one.onFailure && showDestination(one.onFailure)],
  ]
}

function showDestination(to: Destination): string {
  if (to.kind === 'webhook') return to.url
  if (to.kind === 'topic') return `topic:${to.topic}`
  return `${to.app}/${to.function}${to.alias === undefined ? '' : `:${to.alias}`}`
}
