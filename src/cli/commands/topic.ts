import { readFile } from 'node:fs/promises'
import { checkName } from '../../core/index.ts'
import type { Client } from '../client/client.ts'
import type { WireTopic, WireTopicMessage } from '../client/wire.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { renderFields } from '../output/table.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { confirm, dataOf, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'

const TOPIC_ARG: ArgSpec = { syntax: '<topic>', help: 'Name of the topic', completes: 'topic' }
const RETENTION: readonly OptionSpec[] = [
  { flags: '--keep <time>', help: 'How long messages are kept (default: 7d)' },
  { flags: '--keep-messages <count>', help: 'How many are kept (default: 1000000)' },
  { flags: '--keep-bytes <bytes>', help: 'How many bytes of them (default: 268435456)' },
]
const READ_DEFAULT = 100
const MESSAGE_BYTES_MAX = 6 * 1024 * 1024

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List topics',
  options: [LIMIT_OPTION],
  examples: [['atelier topic list', 'all of the project']],
  async run({ context, options }) {
    const limit = limitOf(options)
    const items = await (await context.client()).all<WireTopic>('/v1/topics', {}, limit)
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'FIRST', cell: one => String(one.firstPosition) },
        { title: 'LAST', cell: one => String(one.lastPosition) },
        { title: 'CREATED', cell: one => showAgo(one.createdAt, Date.now()) },
      ],
      'There are no topics.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one topic',
  args: [TOPIC_ARG],
  examples: [['atelier topic show orders', 'what it keeps, and how far it is']],
  async run({ context, args }) {
    const one = await (await context.client()).get<WireTopic>(pathOf(args[0]!))
    await context.result(one, () => fieldsOf(one))
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Create a topic',
  args: [TOPIC_ARG],
  options: RETENTION,
  examples: [
    ['atelier topic create orders', 'with what is usual'],
    ['atelier topic create ticks --keep 1h', 'for messages that are soon worth nothing'],
  ],
  async run({ context, args, options }) {
    checkName(args[0]!, 'topic')
    const json = { name: args[0], retention: retentionOf(options) }
    const one = await (await context.client()).request<WireTopic>('POST', '/v1/topics', { json })
    await context.result(one, () => [`Topic ${one.name} is there.`])
  },
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change how long messages are kept',
  args: [TOPIC_ARG],
  options: RETENTION,
  examples: [['atelier topic update orders --keep 30d', 'for a month']],
  async run({ context, args, options }) {
    const retention = retentionOf(options)
    if (Object.keys(retention).length === 0) throw usage('nothing is to be changed', 'Give --keep, say.')
    const one = await (await context.client()).request<WireTopic>('PATCH', pathOf(args[0]!), {
      json: { retention },
    })
    await context.result(one, () => fieldsOf(one))
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a topic and its messages',
  args: [TOPIC_ARG],
  options: [YES_OPTION],
  examples: [['atelier topic delete orders', 'asks before it does']],
  async run({ context, args, options }) {
    await confirm(context, options, `Delete the topic ${args[0]} and all of its messages?`)
    await (await context.client()).request('DELETE', pathOf(args[0]!))
    context.note(`Topic ${args[0]} is deleted.`)
  },
}

const publish: CommandSpec = {
  name: 'publish',
  summary: 'Publish a message',
  details: 'The message is what --data says, a file, or stdin; it is durable when the command ends.',
  args: [TOPIC_ARG],
  options: [
    { flags: '-d, --data <data>', help: 'The message: text, @FILE, or "-" for stdin' },
    { flags: '--from-file <file>', help: 'Read the message from a file, as it is' },
    { flags: '--content-type <type>', help: 'Its media type (default: application/json when it is JSON)' },
    { flags: '--id <id>', help: 'A second message with the same id is dropped' },
    {
      flags: '--key <key>',
      help: 'Messages with the same key are handled in order, by triggers that are told so',
    },
    {
      flags: '--attribute <name=value>',
      help: 'What triggers may filter by; may be repeated',
      repeats: true,
    },
  ],
  examples: [
    [
      `atelier topic publish orders -d '{"order":17}' --attribute region=north`,
      'a message with an attribute',
    ],
    ['atelier topic publish pictures --from-file cat.png --content-type image/png', 'a file'],
  ],
  async run({ context, args, options }) {
    const data = await messageOf(options)
    const type = options.text('contentType') ?? usualType(data)
    const headers: Record<string, string> = { 'content-type': type }
    const [id, key] = [options.text('id'), options.text('key')]
    if (id !== undefined) headers['atelier-message-id'] = id
    if (key !== undefined) headers['atelier-key'] = key
    for (const each of options.list('attribute')) {
      const [, name, value] = /^([A-Za-z0-9._-]+)=(.*)$/s.exec(each) ?? []
      if (name === undefined || value === undefined)
        throw usage(`--attribute ${JSON.stringify(each)} is not NAME=VALUE`)
      headers[`atelier-attribute-${name}`] = value
    }
    const client = await context.client()
    const { positions } = await client.request<{ readonly positions: readonly number[] }>(
      'POST',
      `${pathOf(args[0]!)}/messages`,
      { body: () => data, headers, repeatable: id !== undefined },
    )
    await context.result({ positions }, () => [
      `Published to ${args[0]} at position ${positions.join(', ')}.`,
    ])
  },
}

const read: CommandSpec = {
  name: 'read',
  summary: 'Look at the messages of a topic',
  details: 'Changes nothing: triggers have positions of their own.',
  args: [TOPIC_ARG],
  options: [
    { flags: '--after <position>', help: 'Only what follows this position (default: 0)' },
    { ...LIMIT_OPTION, help: `At most so many (default: ${READ_DEFAULT})` },
  ],
  examples: [['atelier topic read orders --after 40', 'the messages from position 41 on']],
  async run({ context, args, options }) {
    const after = options.integer('after', '--after', { min: 0 }) ?? 0
    const items = await messagesOf(await context.client(), args[0]!, after, limitOf(options, READ_DEFAULT))
    await context.list(
      items,
      [
        { title: 'POSITION', cell: one => String(one.position) },
        { title: 'PUBLISHED', cell: one => showAgo(one.publishedAt, Date.now()) },
        { title: 'KEY', cell: one => one.key ?? '' },
        { title: 'TYPE', cell: one => one.contentType },
        {
          title: 'DATA',
          cell: one => shorten(one.text ?? `${one.base64?.length ?? 0} characters of base64`),
        },
      ],
      'There are no messages.',
    )
  },
}

export const topic: GroupSpec = {
  name: 'topic',
  aliases: ['topics'],
  summary: 'Keep messages that triggers read at their own pace',
  commands: [list, show, create, update, remove, publish, read],
}

function pathOf(name: string): string {
  checkName(name, 'topic')
  return `/v1/topics/${name}`
}

function retentionOf(options: Options): object {
  return defined({
    ageMs: options.durationMs('keep', '--keep'),
    messagesMax: options.integer('keepMessages', '--keep-messages', { min: 1 }),
    bytesMax: options.integer('keepBytes', '--keep-bytes', { min: 1 }),
  })
}

async function messagesOf(client: Client, name: string, after: number, limit: number) {
  const items: WireTopicMessage[] = []
  let from = after
  while (items.length < limit) {
    const size = Math.min(1_000, limit - items.length)
    const page = await client.get<{ readonly items: readonly WireTopicMessage[] }>(
      `${pathOf(name)}/messages`,
      {
        after: from,
        limit: size,
      },
    )
    items.push(...page.items)
    const last = page.items.at(-1)
    if (!last) break
    from = last.position
  }
  return items
}

async function messageOf(options: Options): Promise<Uint8Array> {
  const [text, file] = [options.text('data'), options.text('fromFile')]
  if (text !== undefined && file !== undefined) throw usage('--data and --from-file cannot stand together')
  if (file !== undefined) return readFile(file)
  return dataOf(text ?? '-', MESSAGE_BYTES_MAX)
}

function usualType(data: Uint8Array): string {
  try {
    JSON.parse(Buffer.from(data).toString())
    return 'application/json'
  } catch {
    return 'text/plain; charset=utf-8'
  }
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}

function fieldsOf(one: WireTopic): string[] {
  return renderFields([
    ['name', one.name],
    ['first position', String(one.firstPosition)],
    ['last position', String(one.lastPosition)],
    ['kept for', `${one.retention.ageMs / 1_000} s`],
    ['messages', `at most ${one.retention.messagesMax}`],
    ['bytes', `at most ${one.retention.bytesMax}`],
    ['created', one.createdAt],
  ])
}
