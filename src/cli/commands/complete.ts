import { CATALOGUE } from '../catalogue.ts'
import type { Context } from '../context.ts'
import { GLOBAL_OPTIONS } from '../globals.ts'
import { type CommandSpec, type Completes, isGroup, type OptionSpec } from '../spec.ts'

const SERVER_PATIENCE_MS = 700 // somebody has pressed Tab and waits

export const complete: CommandSpec = {
  name: '__complete',
  summary: 'Answer the completion scripts',
  args: [{ syntax: '[word...]', help: 'The words typed so far; the last is being typed' }],
  examples: [['atelier __complete -- func', 'prints "function"']],
  async run({ context, rest }) {
    for (const word of await candidates(rest, context)) context.print(word)
  },
}

async function candidates(words: readonly string[], context: Context): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const entry = CATALOGUE.find(one => one.name === before[0] || one.aliases?.includes(before[0] ?? ''))
  if (!entry)
    return before.length === 0
      ? fitting(
          CATALOGUE.filter(one => !one.hidden).map(one => one.name),
          current,
        )
      : []
  const spec = await entry.load()
  if (!isGroup(spec)) return await forCommand(spec, before.slice(1), current, context)
  const inner = spec.commands.find(one => one.name === before[1] || one.aliases?.includes(before[1] ?? ''))
  if (inner) return await forCommand(inner, before.slice(2), current, context)
  return before.length === 1
    ? fitting(
        spec.commands.map(one => one.name),
        current,
      )
    : []
}

async function forCommand(
  spec: CommandSpec,
  before: readonly string[],
  current: string,
  context: Context,
): Promise<readonly string[]> {
  const options = [...(spec.options ?? []), ...GLOBAL_OPTIONS]
  const pending = options.find(option => takesValue(option) && flagsOf(option).includes(before.at(-1) ?? ''))
  if (pending) return pending.choices ? fitting(pending.choices, current) : []
  if (current.startsWith('-'))
    return fitting(
      options.flatMap(flagsOf).filter(flag => flag.startsWith('--')),
      current,
    )
  const position = before.filter(
    (word, i) =>
      !word.startsWith('-') &&
      !options.some(option => takesValue(option) && flagsOf(option).includes(before[i - 1] ?? '')),
  ).length
  const kind = spec.args?.[position]?.completes
  return kind === undefined ? [] : fitting(await names(kind, context), current)
}

async function names(kind: Completes, context: Context): Promise<readonly string[]> {
  if (kind === 'file') return [] // the shell knows files better
  if (kind === 'template') return (await import('../templates.ts')).templateNames()
  const patience = new Promise<readonly string[]>(resolve =>
    setTimeout(() => resolve([]), SERVER_PATIENCE_MS).unref(),
  )
  return await Promise.race([namesFromServer(kind, context).catch(() => []), patience])
}

async function namesFromServer(
  kind: Exclude<Completes, 'file' | 'template'>,
  context: Context,
): Promise<readonly string[]> {
  const client = await context.client()
  const items = await client.all<{ name: string; appName?: string }>(`/v1/${kind}s`, {}, 500)
  return items.map(one =>
    one.appName === undefined
      ? one.name
      : one.appName === 'default'
        ? one.name
        : `${one.appName}/${one.name}`,
  )
}

function flagsOf(option: OptionSpec): readonly string[] {
  return option.flags.match(/--?[\w-]+/g) ?? []
}

function takesValue(option: OptionSpec): boolean {
  return option.flags.includes('<')
}

function fitting(words: readonly string[], start: string): readonly string[] {
  return words.filter(word => word.startsWith(start))
}
