import { readFile } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { ArgSpec, OptionSpec } from '../spec.ts'

export const FUNCTION_ARG: ArgSpec = { syntax: '<function>', help: 'NAME or APP/NAME', completes: 'function' }
export const APP_OPTION: OptionSpec = {
  flags: '--app <app>',
  help: 'App of the function, when its name says none (default: "default")',
}
export const LIMIT_OPTION: OptionSpec = {
  flags: '-n, --limit <count>',
  help: 'At most so many (default: all)',
}
export const TRIGGER_OPTION: OptionSpec = {
  flags: '--trigger <kind[/name]>',
  help: 'Only what such triggers caused, or this one: schedule, webhook/orders',
}
export const YES_OPTION: OptionSpec = { flags: '-y, --yes', help: 'Do not ask' }

/** `--limit`, or `standard`. */
export function limitOf(options: Options, standard = Number.POSITIVE_INFINITY): number {
  return options.integer('limit', '--limit', { min: 1, max: 1_000_000 }) ?? standard
}

/** What `TRIGGER_OPTION` chooses, as the API has it. */
export function triggerOf(options: Options): { trigger?: string; triggerName?: string } {
  const text = options.text('trigger')
  if (text === undefined) return {}
  const [trigger, triggerName, ...more] = text.split('/')
  if (!trigger || triggerName === '' || more.length > 0)
    throw usage(`--trigger takes a kind, or a kind and a name: schedule, webhook/orders; not "${text}"`)
  return { trigger, ...(triggerName !== undefined && { triggerName }) }
}

/** What caused a call, as `TRIGGER_OPTION` takes it. */
export function causeOf(call: {
  readonly trigger: string
  readonly triggerName?: string | undefined
}): string {
  return call.triggerName === undefined ? call.trigger : `${call.trigger}/${call.triggerName}`
}

/** Asks before something is lost, when somebody is there to answer; scripts are taken at their word. */
export async function confirm(context: Context, options: Options, question: string): Promise<void> {
  if (options.flag('yes') || !process.stdin.isTTY || !process.stderr.isTTY) return
  const { confirm: ask, isCancel } = await import('@clack/prompts')
  const answer = await ask({ message: question, initialValue: false, output: process.stderr })
  if (isCancel(answer) || !answer) throw usage('nothing was changed')
  context.note('')
}

/** What `--data` means: the bytes of `@FILE`, of stdin for "-", or the text itself. */
export async function dataOf(data: string, bytesMax: number): Promise<Buffer> {
  if (data === '-' || data === '@-') return readStdinBytes(bytesMax)
  return data.startsWith('@') ? readFile(data.slice(1)) : Buffer.from(data)
}

/** Everything on stdin as text, at most `bytesMax`. */
export async function readStdin(bytesMax: number): Promise<string> {
  return (await readStdinBytes(bytesMax)).toString('utf8')
}

/** Everything on stdin as it is, at most `bytesMax`. */
export async function readStdinBytes(bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw usage(`more than ${bytesMax} bytes came on stdin`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What somebody types and nobody may see. */
export async function promptHidden(message: string): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts')
  const answer = await password({ message, output: process.stderr })
  if (isCancel(answer)) throw usage('nothing was changed')
  return answer ?? ''
}
