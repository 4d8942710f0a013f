import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Invocation } from '../../src/core/index.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import type { Database } from '../support/databases/database.ts'
import { startMariadb } from '../support/databases/mariadb.ts'
import { CommandLine, type Said } from '../support/openstack/command-line.ts'
import { Keystone, REGION } from '../support/openstack/keystone.ts'
import { flagsOf, makeHome, removeHome, ServerProcess } from '../support/server-process.ts'
import { Site } from '../support/site.ts'
import { type Header, type Reply, send } from './wire.ts'

const run = promisify(execFile)
const PASSWORD = 'correct horse battery'
const SERVER = {
  dialects: 'picasso:0,ironfunctions:0,fn:0,qinling:0',
  // IronFunctions' and Fn's clients know no users.
  'dialect-project': 'blue',
  'log-level': 'debug',
}

/** `ann` works in the project blue, `bob` in red; `admin` is the operator. */
export type Person = 'ann' | 'bob' | 'admin'

export interface Session {
  readonly token: string
  readonly projectId: string
  readonly catalog: readonly {
    readonly type: string
    readonly name: string
    readonly endpoints: readonly { readonly interface: string; readonly url: string }[]
  }[]
}

interface Login {
  readonly user: string
  readonly password: string
  readonly project: string
}

export interface Asking {
  readonly headers?: readonly Header[]
  readonly body?: string | Uint8Array | undefined
}

/** A server with all dialects of OpenStack's and Fn's kind, and an identity that its clients log in at. */
export class Place {
  readonly server: ServerProcess
  /** Of Keystone v3, the server's own or a cloud's. */
  readonly authUrl: string
  /** A folder of the clients' own. */
  readonly folder: string
  /** Every token that somebody was given: none of them may be found where it does not belong. */
  readonly tokens = new Set<string>()
  /** What clients of their own need to end with it. */
  readonly closing: (() => void)[] = []
  readonly #logins: Readonly<Record<Person, Login>>
  readonly #sessions = new Map<Person, Session>()
  #commands: Promise<CommandLine> | undefined
  readonly #close: () => Promise<void>

  private constructor(
    server: ServerProcess,
    authUrl: string,
    folder: string,
    logins: Readonly<Record<Person, Login>>,
    close: () => Promise<void>,
  ) {
    this.server = server
    this.authUrl = authUrl
    this.folder = folder
    this.#logins = logins
    this.#close = close
  }

  /** One process and its files: SQLite, and the identity that it brings. */
  static async embedded(): Promise<Place> {
    const server = await ServerProcess.start({ flags: flagsOf(SERVER) })
    const folder = await makeHome()
    for (const [user, project] of [
      ['ann', 'blue'],
      ['bob', 'red'],
    ] as const) {
      for (const [method, path, body] of [
        ['POST', '/v1/projects', { name: project }],
        ['POST', '/v1/users', { name: user, password: PASSWORD }],
        ['PUT', `/v1/projects/${project}/grants`, { user, role: 'member' }],
      ] as const) {
        const answer = await server.api(method, path, body)
        assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
      }
    }
    const { user, password } = server.login
    const logins = loginsOf({ user, password, project: 'default' })
    return new Place(server, `${server.url}/identity/v3`, folder, logins, async () => {
      await server.dispose()
      await removeHome(folder)
    })
  }

  /** A part of a cloud: MariaDB, and the users of a real Keystone, where the server is registered by its own command. */
  static async cloud(): Promise<Place> {
    const closing: (() => Promise<unknown>)[] = []
    const close = async (): Promise<void> => {
      for (const each of closing.toReversed()) await each()
    }
    try {
      const folder = await makeHome()
      closing.push(() => removeHome(folder))
      const site = await Site.open()
      closing.push(() => site.close())
      const starting = startMariadb()
      closing.push(async () => (await starting.catch(() => undefined))?.daemon.close())
      const [keystone, database] = await Promise.all([Keystone.start(site), starting])
      for (const [name, project] of [
        ['ann', 'blue'],
        ['bob', 'red'],
      ] as const)
        await keystone.createUser(name, {
          password: PASSWORD,
          project: await keystone.createProject(project),
          roles: ['member'],
        })
      const server = await startInCloud(keystone, database, folder)
      closing.push(() => server.dispose())
      const place = new Place(server, keystone.url, folder, loginsOf(keystone.admin), close)
      // A project of Keystone is known when somebody came from there.
      for (const person of ['ann', 'bob'] as const) {
        server.logIn(await place.token(person))
        assert.equal((await server.api('GET', '/v1/whoami')).status, 200)
      }
      return place
    } catch (error) {
      await close()
      throw error
    }
  }

  async close(): Promise<void> {
    for (const each of this.closing) each()
    await (await this.#commands)?.close()
    await this.#close()
  }

  /** Who logged in as the clients do, once for each. */
  async session(person: Person): Promise<Session> {
    const known = this.#sessions.get(person)
    if (known !== undefined) return known
    const session = await this.logIn(person)
    this.#sessions.set(person, session)
    return session
  }

  async token(person: Person): Promise<string> {
    return (await this.session(person)).token
  }

  /** A login of its own. */
  async logIn(person: Person): Promise<Session> {
    const { user: name, password, project } = this.#logins[person]
    const domain = { id: 'default' }
    const answer = await fetch(`${this.authUrl}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user: { name, domain, password } } },
          scope: { project: { name: project, domain } },
        },
      }),
    })
    const token = answer.headers.get('x-subject-token')
    assert.ok(token, `${person} is not let in: ${answer.status}`)
    this.tokens.add(token)
    const { token: said } = (await answer.json()) as {
      token: { project: { id: string }; catalog: Session['catalog'] }
    }
    return { token, projectId: said.project.id, catalog: said.catalog }
  }

  /** Ends a token, as `openstack token revoke` does. */
  async revoke(token: string): Promise<void> {
    const headers = { 'x-auth-token': token, 'x-subject-token': token }
    const answer = await fetch(`${this.authUrl}/auth/tokens`, { method: 'DELETE', headers })
    assert.equal(answer.status, 204)
  }

  /** The record of a call in somebody's project, which is written when it has ended. */
  async recordOf(person: Person, id: string): Promise<Invocation> {
    this.server.logIn(await this.token(person))
    return this.server.record(id)
  }

  /** One request to a dialect, with these headers and no others. */
  ask(dialect: string, method: string, path: string, { headers = [], body }: Asking = {}): Promise<Reply> {
    return send(this.server.dialect(dialect), { method, path, headers, body })
  }

  /** Runs `openstack …` as somebody. Resolves with what it printed; fails unless it succeeds. */
  async say(person: Person, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(this.#env(person), args)
    assert.equal(code, 0, `openstack ${args.join(' ')}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  /** As `say`, read as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any
  async show(person: Person, ...args: readonly string[]): Promise<any> {
    return JSON.parse(await this.say(person, ...args, '-f', 'json'))
  }

  /** Fails unless `openstack …` does, with these words. */
  async refused(words: RegExp, person: Person, ...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.#run(this.#env(person), args)
    assert.notEqual(code, 0, `openstack ${args.join(' ')} was not refused: ${stdout}`)
    assert.match(stderr, words)
  }

  /** Runs `openstack …` with nobody's login, but with what the variables say. */
  bare(variables: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Said> {
    return this.#run(variables, args)
  }

  /** The client's modules are loaded with the first command. */
  async #run(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Said> {
    this.#commands ??= CommandLine.start()
    return (await this.#commands).run(env, args, this.folder)
  }

  #env(person: Person): Record<string, string> {
    return environmentOf(this.authUrl, this.#logins[person])
  }
}

function loginsOf(admin: Login): Readonly<Record<Person, Login>> {
  return {
    ann: { user: 'ann', password: PASSWORD, project: 'blue' },
    bob: { user: 'bob', password: PASSWORD, project: 'red' },
    admin,
  }
}

function environmentOf(authUrl: string, { user, password, project }: Login): Record<string, string> {
  return {
    OS_AUTH_URL: authUrl,
    OS_USERNAME: user,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_DOMAIN_ID: 'default',
    OS_IDENTITY_API_VERSION: '3',
    OS_REGION_NAME: REGION,
  }
}

async function startInCloud(keystone: Keystone, database: Database, folder: string): Promise<ServerProcess> {
  const passwordFile = join(folder, 'keystone.password')
  const register = (...urls: readonly string[]) =>
    run(process.execPath, [BIN, 'openstack', 'register', '--password-file', passwordFile, ...urls], {
      env: bareEnvironment({ HOME: folder, ...environmentOf(keystone.url, keystone.admin) }),
    })
  await register()
  const server = await ServerProcess.start({
    flags: flagsOf({
      ...SERVER,
      'db-uri': await database.create(),
      identity: 'keystone',
      'keystone-endpoint': keystone.url,
      'keystone-password-file': passwordFile,
      'keystone-cache-s': '2',
    }),
  })
  await register('--picasso-url', server.dialect('picasso'), '--qinling-url', server.dialect('qinling'))
  return server
}
