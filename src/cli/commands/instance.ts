import type { CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo, showMemory } from '../units.ts'
import { LIMIT_OPTION, limitOf } from './common.ts'

interface WireInstance {
  readonly id: string
  readonly environment: string
  readonly state: string
  readonly appName?: string
  readonly functionName?: string
  readonly functionId?: string
  readonly version?: number
  readonly inFlight: number
  readonly calls: number
  readonly startedAt: string
  readonly memoryBytes: number
}

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List running instances',
  options: [LIMIT_OPTION],
  examples: [['atelier instance list', 'what runs now']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WireInstance>('/v1/instances', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'ID', cell: one => one.id },
        { title: 'ENVIRONMENT', cell: one => one.environment },
        { title: 'STATE', cell: one => one.state },
        { title: 'FUNCTION', cell: functionOf },
        { title: 'RUNNING', cell: one => one.inFlight, right: true },
        { title: 'CALLS', cell: one => one.calls, right: true },
        {
          title: 'MEMORY',
          cell: one => (one.memoryBytes > 0 ? showMemory(one.memoryBytes) : ''),
          right: true,
        },
        { title: 'STARTED', cell: one => showAgo(one.startedAt, Date.now()) },
      ],
      'No instances run now; the next call starts one.',
    )
  },
}

function functionOf(one: WireInstance): string {
  if (one.functionName !== undefined) return `${one.appName}/${one.functionName}:${one.version}`
  return one.functionId === undefined ? '' : `${one.functionId}:${one.version}`
}

const kill: CommandSpec = {
  name: 'kill',
  aliases: ['delete', 'rm'],
  summary: 'Kill an instance; the calls it holds fail',
  args: [{ syntax: '<id>', help: 'Id of the instance' }],
  examples: [['atelier instance kill 01jd8m3v5r0000000000000000', 'a stuck instance']],
  async run({ context, args }) {
    await (await context.client()).request('DELETE', `/v1/instances/${encodeURIComponent(args[0]!)}`)
    context.note(`Instance ${args[0]} is killed.`)
  },
}

export const instance: GroupSpec = {
  name: 'instance',
  aliases: ['instances'],
  summary: 'Look at running instances, or kill one',
  commands: [list, kill],
}
