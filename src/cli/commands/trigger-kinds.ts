import type { WireTriggerKind } from '../client/wire.ts'
import { usage } from '../failure.ts'
import { nearest } from '../nearest.ts'
import type { CommandSpec } from '../spec.ts'

/** As much of JSON Schema as the configurations of triggers are told in. */
interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly default?: unknown
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

interface Field {
  readonly name: string
  readonly value: string
  readonly description: string
}

const DEPTH_MAX = 4

export const kinds: CommandSpec = {
  name: 'kinds',
  summary: 'List the kinds of triggers that wait for events, or the fields of one',
  details:
    'Fields are given with -c KEY=VALUE; inner ones with a dot, lists as JSON. With --output json: schemas and examples.',
  args: [{ syntax: '[kind]', help: 'Show what this one wants to know' }],
  examples: [
    ['atelier trigger kinds', 'a line for each'],
    ['atelier trigger kinds webhook', 'its fields'],
  ],
  async run({ context, args }) {
    const { items } = await (await context.client()).get<{ items: WireTriggerKind[] }>('/v1/trigger-kinds')
    const [wanted] = args
    if (wanted === undefined) {
      await context.list(
        items,
        [
          { title: 'KIND', cell: one => one.kind },
          { title: 'WHAT IT DOES', cell: one => one.summary },
        ],
        'This server has none.',
      )
      return
    }
    const found = items.find(one => one.kind === wanted)
    if (!found) {
      const names = items.map(one => one.kind)
      const meant = nearest(wanted, names)
      throw usage(
        `there is no kind ${JSON.stringify(wanted)}`,
        meant ? `Did you mean ${meant}?` : `There are ${names.join(', ')}.`,
      )
    }
    if (context.format !== 'table') return await context.result(found, () => [])
    await context.list(
      fieldsOf(found.schema as Schema),
      [
        { title: 'FIELD', cell: one => one.name },
        { title: 'VALUE', cell: one => one.value },
        { title: 'WHAT IT MEANS', cell: one => one.description },
      ],
      'It has none.',
    )
  },
}

/** Inner fields stand by themselves, under the name by which they are given. */
function fieldsOf(schema: Schema, before = '', depth = 1): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, one]) => {
    const name = `${before}${key}`
    if (one.properties && depth < DEPTH_MAX) return fieldsOf(one, `${name}.`, depth + 1)
    const needed = schema.required?.includes(key) && depth === 1 ? 'needed: ' : ''
    return [{ name, value: `${needed}${valueOf(one)}`, description: one.description ?? '' }]
  })
}

function valueOf({ enum: choices, type, items }: Schema): string {
  if (choices) return choices.join(' | ')
  if (type === 'array') return items ? `[${valueOf(items)}, …]` : 'list'
  return type ?? 'JSON'
}
