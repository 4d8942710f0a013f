import { existsSync } from 'node:fs'
import { configPath, forgetTokens } from '../client/login.ts'
import { readPrivateJson, removePrivateFile } from '../client/private-file.ts'
import type { CommandSpec } from '../spec.ts'

export const logout: CommandSpec = {
  name: 'logout',
  summary: 'Forget the login',
  details:
    'Revokes the stored token at the server when that can be reached, and removes it here in any case.',
  examples: [['atelier logout', 'forget what "atelier login" stored']],
  async run({ context }) {
    const path = configPath(context.env)
    if (existsSync(path) && readPrivateJson<{ token?: string }>(path)?.token) {
      const client = await context.client()
      await client
        .request('DELETE', '/v1/tokens/current')
        .catch(() => context.note(`${client.login.url} could not be told; the token ends by itself.`))
    }
    removePrivateFile(path)
    forgetTokens(context.env)
    context.note('Logged out.')
  },
}
