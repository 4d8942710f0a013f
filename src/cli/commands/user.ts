import { usage } from '../failure.ts'
import type { ArgSpec, CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo } from '../units.ts'
import { confirm, LIMIT_OPTION, limitOf, promptHidden, readStdin, YES_OPTION } from './common.ts'

interface WireUser {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly createdAt: string
}

const USER_ARG: ArgSpec = { syntax: '<user>', help: 'Name of the user' }
const PASSWORD_BYTES_MAX = 4096

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List users',
  options: [LIMIT_OPTION],
  examples: [['atelier user list', 'all of them']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WireUser>('/v1/users', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'STATE', cell: one => (one.enabled ? 'enabled' : 'disabled') },
        { title: 'CREATED', cell: one => showAgo(one.createdAt, Date.now()) },
      ],
      'There are no users.',
    )
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Create a user',
  details: 'The password is asked for, or read from stdin.',
  args: [USER_ARG],
  examples: [
    ['atelier user create ada', 'asks for the password'],
    ['pass generate ada | atelier user create ada', 'takes it from another program'],
  ],
  async run({ context, args }) {
    const client = await context.client()
    const one = await client.request<WireUser>('POST', '/v1/users', {
      json: { name: args[0]!, password: await newPassword(args[0]!) },
    })
    await context.result(one, () => [
      `User ${one.name} is created. Let them in: atelier project grant PROJECT ${one.name} member`,
    ])
  },
}

const password: CommandSpec = {
  name: 'password',
  summary: 'Set the password of a user',
  details: 'It is asked for, or read from stdin.',
  args: [USER_ARG],
  examples: [['atelier user password ada', 'asks for the new one']],
  async run({ context, args }) {
    const client = await context.client()
    await client.request('PUT', `${pathOf(args[0]!)}/password`, {
      json: { password: await newPassword(args[0]!) },
    })
    context.note(`The password of ${args[0]} is set.`)
  },
}

/** A password that is new: asked for twice, since nobody sees what is typed. */
async function newPassword(user: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const text = (await readStdin(PASSWORD_BYTES_MAX)).replace(/\r?\n$/, '')
    if (text === '') throw usage('the password is empty', 'Pipe it in, or run this in a terminal.')
    return text
  }
  const first = await promptHidden(`New password of ${user}`)
  const second = await promptHidden('The same again')
  if (first !== second) throw usage('the two passwords differ')
  return first
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a user and their tokens',
  args: [USER_ARG],
  options: [YES_OPTION],
  examples: [['atelier user delete ada', 'the user ada']],
  async run({ context, args, options }) {
    const client = await context.client()
    await confirm(context, options, `Delete user ${args[0]}?`)
    await client.request('DELETE', pathOf(args[0]!))
    context.note(`User ${args[0]} is deleted.`)
  },
}

function pathOf(name: string): string {
  return `/v1/users/${encodeURIComponent(name)}`
}

export const user: GroupSpec = {
  name: 'user',
  aliases: ['users'],
  summary: 'Manage users',
  commands: [list, create, password, remove],
}
