import { readFile } from 'node:fs/promises'
import { checkName } from '../../core/index.ts'
import type { WireSecret } from '../client/wire.ts'
import { usage } from '../failure.ts'
import type { ArgSpec, CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { confirm, LIMIT_OPTION, limitOf, promptHidden, readStdin, YES_OPTION } from './common.ts'

const SECRET_ARG: ArgSpec = { syntax: '<secret>', help: 'Name of the secret', completes: 'secret' }
const SECRET_BYTES_MAX = 64 * 1024

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List the names of secrets; values never come out again',
  options: [LIMIT_OPTION],
  examples: [['atelier secret list', 'all of the project']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WireSecret>('/v1/secrets', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'UPDATED', cell: one => showAgo(one.updatedAt, Date.now()) },
      ],
      'There are no secrets.',
    )
  },
}

const set: CommandSpec = {
  name: 'set',
  summary: 'Store a secret',
  details: `The value comes from stdin, a file, or a question: not from the command line, where other users and the history of the
shell would see it. One line break at its end is taken off. Functions see it when they are deployed with --secret NAME.`,
  args: [SECRET_ARG],
  options: [{ flags: '--from-file <file>', help: 'Read the value from a file, as it is' }],
  examples: [
    ['atelier secret set API_KEY', 'asks for the value'],
    ['pass show api-key | atelier secret set API_KEY', 'from another program'],
    ['atelier secret set TLS_KEY --from-file key.pem', 'from a file'],
  ],
  async run({ context, args, options }) {
    const name = args[0]!
    checkName(name, 'secret')
    const client = await context.client()
    const file = options.text('fromFile')
    let value: string
    if (file !== undefined) value = await readFile(file, 'utf8')
    else if (process.stdin.isTTY) value = await promptHidden(`Value of ${name}`)
    else value = (await readStdin(SECRET_BYTES_MAX)).replace(/\r?\n$/, '')
    if (value === '') throw usage(`the value of ${name} is empty`, 'Pipe it in, or use --from-file FILE.')
    const one = await client.request<WireSecret | undefined>('PUT', `/v1/secrets/${name}`, {
      json: { value },
    })
    await context.result(one ?? { name }, () => [`Secret ${name} is stored.`])
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a secret',
  args: [SECRET_ARG],
  options: [YES_OPTION],
  examples: [['atelier secret delete API_KEY', 'the secret API_KEY']],
  async run({ context, args, options }) {
    checkName(args[0]!, 'secret')
    await confirm(context, options, `Delete the secret ${args[0]}? Its value cannot be had back.`)
    await (await context.client()).request('DELETE', `/v1/secrets/${args[0]}`)
    context.note(`Secret ${args[0]} is deleted.`)
  },
}

export const secret: GroupSpec = {
  name: 'secret',
  aliases: ['secrets'],
  summary: 'Store values that only functions can read',
  commands: [list, set, remove],
}
