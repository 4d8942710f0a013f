import type { Client } from '../client/client.ts'
import type { WireAsyncCall } from '../client/wire.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { OptionSpec } from '../spec.ts'
import { showResult } from './answer.ts'

const WAIT_MS = 30_000 // for one answer of the server; then asked again

/** What `invoke --async` may say besides. */
export const LATER_OPTIONS: readonly OptionSpec[] = [
  { flags: '--async', help: 'Only have it accepted, and print its id; it runs when there is room' },
  { flags: '-w, --wait', help: 'With --async: wait for the end and print the answer' },
  { flags: '--delay <time>', help: 'With --async: not before so long: 30s, 5m, 2h' },
  { flags: '--run-at <time>', help: 'With --async: not before this date: 2030-01-31T12:00:00Z' },
  { flags: '--ordering-key <key>', help: 'With --async: calls with the same key run one after the other' },
  { flags: '--idempotency-key <key>', help: 'With --async: a second call with this key is the first one' },
  {
    flags: '--max-age <time>',
    help: 'With --async: give up when it has not succeeded so long after it was due',
  },
  { flags: '--attempts <count>', help: 'With --async: try at most so often' },
]

/** The header fields for the options. */
export function laterHeaders(options: Options): Record<string, string> {
  const ms = (name: string, flag: string): string | undefined => {
    const value = options.durationMs(name, flag)
    return value === undefined ? undefined : `${value}ms`
  }
  const runAt = options.text('runAt')
  if (runAt !== undefined && Number.isNaN(Date.parse(runAt)))
    throw usage(`--run-at ${JSON.stringify(runAt)} is not a date such as 2030-01-31T12:00:00Z`)
  const fields = {
    'atelier-delay': ms('delay', '--delay'),
    'atelier-run-at': runAt && new Date(runAt).toISOString(),
    'atelier-ordering-key': options.text('orderingKey'),
    'idempotency-key': options.text('idempotencyKey'),
    'atelier-max-age': ms('maxAge', '--max-age'),
    'atelier-attempts': options.integer('attempts', '--attempts', { min: 1, max: 1_000 })?.toString(),
  }
  const given = Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined)
  if (given.length > 0 && !options.flag('async'))
    throw usage('options for a later call without --async', 'Add --async, or leave them out.')
  if (options.flag('wait') && !options.flag('async'))
    throw usage('--wait without --async: every other call waits')
  return options.flag('async') ? { prefer: 'respond-async', ...Object.fromEntries(given) } : {}
}

/** The call once it has ended, or as it stands after `timeoutMs`. */
export async function waitForEnd(client: Client, path: string, timeoutMs: number): Promise<WireAsyncCall> {
  const until = Date.now() + timeoutMs
  for (;;) {
    const waitMs = Math.max(0, Math.min(WAIT_MS, until - Date.now()))
    const one = await client.get<WireAsyncCall>(path, { waitMs })
    if (isOver(one) || Date.now() >= until) return one
  }
}

export function isOver(one: WireAsyncCall): boolean {
  return one.state !== 'queued' && one.state !== 'running'
}

/** Why the last attempt failed, for people. */
export function failureText(one: WireAsyncCall): string | undefined {
  return one.lastFailure && `${one.lastFailure.code} ${one.lastFailure.message}`.trim()
}

/** Prints what the function answered to the call `id`. */
export async function writeResult(context: Context, client: Client, id: string): Promise<void> {
  const path = `/v1/async-invocations/${encodeURIComponent(id)}/result`
  await showResult(context, await client.send('GET', path, { headers: { accept: '*/*' } }), id)
}
