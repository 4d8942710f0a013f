import { userInfo } from 'node:os'
import { issueToken } from '../client/client.ts'
import { Http } from '../client/http.ts'
import { checkUrl, configPath, type StoredLogin } from '../client/login.ts'
import { writePrivateJson } from '../client/private-file.ts'
import { usage } from '../failure.ts'
import type { CommandSpec } from '../spec.ts'
import { promptHidden, readStdin } from './common.ts'

const PASSWORD_BYTES_MAX = 4096
const URL_DEFAULT = 'http://127.0.0.1:1881'

export const login: CommandSpec = {
  name: 'login',
  summary: 'Log in to a server',
  details: `Stores a token in $XDG_CONFIG_HOME/atelier/config.json, readable by you alone. The password is asked for, or read from stdin, and is
not kept unless --remember says so. On the machine of the server, its first user needs no login: the CLI finds admin.json.`,
  args: [{ syntax: '[url]', help: `The server's API (default: ATELIER_URL, else ${URL_DEFAULT})` }],
  options: [
    { flags: '-u, --user <name>', help: 'User name (default: yours on this machine)' },
    { flags: '--remember', help: 'Keep the password too, to log in again when the token has expired' },
  ],
  examples: [
    ['atelier login https://atelier.example.org --user ada', 'asks for the password'],
    [
      'pass show atelier | atelier login https://atelier.example.org --user ada --project shop',
      'for a script, and another project',
    ],
  ],
  async run({ context, args, options }) {
    const url = checkUrl(args[0] ?? options.text('url') ?? context.env.ATELIER_URL ?? URL_DEFAULT, 'url')
    const user = options.text('user') ?? userInfo().username
    const project = options.text('project') ?? context.env.ATELIER_PROJECT
    const { hostname, protocol } = new URL(url)
    if (protocol === 'http:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
      context.warn(`${url} is not encrypted: whoever listens on the way sees your password and your data`)
    const password = process.stdin.isTTY
      ? await promptHidden(`Password of ${user} at ${url}`)
      : (await readStdin(PASSWORD_BYTES_MAX)).replace(/\r?\n$/, '')
    if (password === '') throw usage('the password is empty', 'Pipe it in, or run this in a terminal.')
    const http = new Http()
    try {
      const issued = await issueToken(
        http,
        url,
        { user, password, ...(project && { project }) },
        context.signal,
      )
      const stored: StoredLogin = {
        url,
        user,
        ...(project && { project }),
        token: issued.token,
        expiresAt: issued.expiresAt,
        ...(options.flag('remember') && { password }),
      }
      writePrivateJson(configPath(context.env), stored)
      const { token: _, ...shown } = issued
      await context.result({ url, ...shown }, () => [
        `Logged in to ${url} as ${issued.user ?? user}, project ${issued.project ?? project ?? 'default'}, until ${issued.expiresAt}.`,
      ])
    } finally {
      http.close()
    }
  },
}
