import { renderFields } from '../output/table.ts'
import type { CommandSpec } from '../spec.ts'

interface WirePrincipal {
  readonly user: string
  readonly project: string
  readonly roles: readonly string[]
  readonly expiresAt?: string
}

export const whoami: CommandSpec = {
  name: 'whoami',
  summary: 'Show who you are and where',
  examples: [
    ['atelier whoami', 'user, project, roles, server, and where the login came from'],
    ['atelier whoami --project shop', 'the same for another project'],
  ],
  async run({ context }) {
    const client = await context.client()
    const one = await client.get<WirePrincipal>('/v1/whoami')
    await context.result(one, () =>
      renderFields([
        ['user', one.user],
        ['project', one.project],
        ['roles', one.roles.join(', ')],
        ['server', client.login.url],
        ['login from', client.login.source],
        ['until', one.expiresAt],
      ]),
    )
  },
}
