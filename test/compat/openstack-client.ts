import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type CommandLine, commandLineMissing, type Said } from '../support/openstack/command-line.ts'
import type { ServerProcess } from '../support/server-process.ts'

const MODULES = '/usr/lib/python3/dist-packages'

/** Why `openstack function …` cannot be run here. */
export function qinlingClientMissing(): string | false {
  if (commandLineMissing) return commandLineMissing
  if (!existsSync(`${MODULES}/qinlingclient`))
    return 'the Qinling client is not installed (apt install python3-qinlingclient)'
  return false
}

/** JSON that a test reads as it likes. */
// oxlint-disable-next-line typescript/no-explicit-any
type Shown = any

/** The `openstack` command of the system, unmodified, with somebody's login. */
export class OpenStackClient {
  readonly #commands: CommandLine
  readonly #env: Readonly<Record<string, string>>
  readonly #folder: string

  /** `folder`: where commands run. */
  constructor(commands: CommandLine, folder: string, env: Readonly<Record<string, string>>) {
    this.#commands = commands
    this.#folder = folder
    this.#env = env
  }

  /** Logged in as the server's administrator by its own Keystone, which tells where all else is. */
  static admin(commands: CommandLine, server: ServerProcess, folder: string): OpenStackClient {
    const { user, password } = server.login
    return OpenStackClient.user(commands, server, folder, user, password, 'default')
  }

  static user(
    commands: CommandLine,
    { url }: ServerProcess,
    folder: string,
    user: string,
    password: string,
    project: string,
  ): OpenStackClient {
    return new OpenStackClient(commands, folder, {
      OS_AUTH_URL: `${url}/identity/v3`,
      OS_USERNAME: user,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_ID: 'default',
      OS_PROJECT_DOMAIN_ID: 'default',
      OS_IDENTITY_API_VERSION: '3',
    })
  }

  run(...args: readonly string[]): Promise<Said> {
    return this.#commands.run(this.#env, args, this.#folder)
  }

  /** What a command says, which must succeed. */
  async say(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args)
    assert.equal(code, 0, `openstack ${args.join(' ')}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  /** What a command shows, read as JSON. */
  async show(...args: readonly string[]): Promise<Shown> {
    return JSON.parse(await this.say(...args, '-f', 'json'))
  }

  /** Fails unless the command does, with these words. */
  async refused(words: RegExp, ...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.run(...args)
    assert.notEqual(code, 0, `openstack ${args.join(' ')} was not refused: ${stdout}`)
    assert.match(stderr, words)
  }
}
