import type { CommandSpec } from '../spec.ts'

export const token: CommandSpec = {
  name: 'token',
  summary: 'Print a token, for curl and other programs',
  details: `Private functions and the API take it as "Authorization: Bearer" or X-Auth-Token. It is the one that this program uses itself, so
"atelier logout" ends it; with --project it is one of that project, for which the password must be at hand.`,
  examples: [
    ['atelier token', 'as in: curl -H "Authorization: Bearer $(atelier token)" URL'],
    ['atelier token -o json | jq -r .expiresAt', 'how long it is good'],
  ],
  async run({ context }) {
    const issued = await (await context.client()).token()
    await context.result(issued, () => [issued.token])
  },
}
