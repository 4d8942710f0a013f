import type { CommandSpec, GroupSpec } from '../spec.ts'

interface WireEnvironment {
  readonly name: string
  readonly description: string
  readonly entryHelp?: string
  readonly ready?: boolean
  readonly reason?: string
  readonly runtimeVersion?: string
}

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List the languages that the server runs',
  examples: [['atelier environment list', 'what there is, and what is missing']],
  async run({ context }) {
    const items = await (await context.client()).all<WireEnvironment>('/v1/environments')
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'RUNTIME', cell: one => one.runtimeVersion },
        {
          title: 'STATE',
          cell: one => (one.ready === false ? `not ready: ${one.reason ?? 'unknown'}` : 'ready'),
        },
        { title: 'ENTRY', cell: one => one.entryHelp },
        { title: 'DESCRIPTION', cell: one => one.description },
      ],
      'The server runs no language.',
    )
  },
}

export const environment: GroupSpec = {
  name: 'environment',
  aliases: ['environments', 'env'],
  summary: 'Show which languages the server runs',
  commands: [list],
}
