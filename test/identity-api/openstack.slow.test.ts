import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { runExample } from '../support/doc-example.ts'
import { CommandLine, commandLineMissing } from '../support/openstack/command-line.ts'
import { ServerProcess } from '../support/server-process.ts'

type Environment = Readonly<Record<string, string>>

/** What a command says of one thing; its lists write the names large. */
interface Told {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly secret: string
  readonly endpoints: unknown
  readonly domain_id: string
  readonly project_id: string
  readonly default_project_id: string
  readonly user_id: string
  readonly Name: string
  readonly Type: string
  readonly Region: string
}

// The client as Debian has it, against a fresh server, with nothing but an address and a login.
describe("OpenStack's own command", { skip: commandLineMissing }, () => {
  let server: ServerProcess
  let url: string
  let admin: Environment
  let commands: CommandLine
  before(async () => {
    server = await ServerProcess.start()
    url = `${server.url}/identity/v3`
    commands = await CommandLine.start()
    admin = login(server.login.user, server.login.password, 'default')
  })
  after(async () => {
    await commands?.close()
    await server?.[Symbol.asyncDispose]()
  })

  const login = (user: string, password: string, project: string): Environment => ({
    OS_AUTH_URL: url,
    OS_USERNAME: user,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: project,
  })

  const run = (env: Environment, ...args: string[]) => commands.run(env, args)
  async function done(env: Environment, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(env, ...args)
    assert.equal(code, 0, `openstack ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const told = async (env: Environment, ...args: string[]) =>
    JSON.parse(await done(env, ...args, '-f', 'json')) as Told
  const listed = async (env: Environment, ...args: string[]) =>
    JSON.parse(await done(env, ...args, '-f', 'json')) as readonly Told[]
  async function fails(pattern: RegExp, env: Environment, ...args: string[]): Promise<void> {
    const { code, stderr } = await run(env, ...args)
    assert.notEqual(code, 0, args.join(' '))
    assert.match(stderr, pattern, args.join(' '))
  }
  const whoami = async (token: string) => {
    const answer = await fetch(`${server.url}/v1/whoami`, { headers: { 'x-auth-token': token } })
    return { status: answer.status, ...((await answer.json()) as { user?: string; roles?: string[] }) }
  }

  test('the page about identity works as it is written', async () => {
    const page = (name: string, env: Environment) =>
      runExample('identity.md', name, server.home, {
        ...env,
        PATH: `${commands.folder}:${process.env['PATH']}`,
      })
    const accounts = await page('accounts', admin)
    assert.equal(accounts.code, 0, accounts.stderr)
    assert.match(accounts.stdout, /maria@Default/)
    assert.match(accounts.stdout, /faas-router/)
    const credential = await page('credential', { OS_AUTH_URL: url })
    assert.equal(credential.code, 0, credential.stderr)
    assert.match(credential.stdout, /secret/)
    const trustee = (await told(admin, 'user', 'create', '--password', 'trustee-password', 'tom')).id
    const trust = await page('trust', { OS_AUTH_URL: url, TRUSTEE: trustee })
    assert.equal(trust.code, 0, trust.stderr)
    assert.match(trust.stdout, new RegExp(trustee))
  })

  test('users, projects and roles are managed, and every change counts at once', async () => {
    const project = await told(admin, 'project', 'create', '--description', 'first', 'alpha')
    assert.deepEqual([project.name, project.enabled, project.domain_id], ['alpha', true, 'default'])
    const user = await told(
      admin,
      'user',
      'create',
      '--project',
      'alpha',
      '--password',
      'alice-password',
      'alice',
    )
    assert.equal(user.default_project_id, project.id)
    const alice = login('alice', 'alice-password', 'alpha')
    await fails(/HTTP 401/, alice, 'token', 'issue')
    await done(admin, 'role', 'add', '--user', 'alice', '--project', 'alpha', 'member')
    const token = await told(alice, 'token', 'issue')
    assert.deepEqual([token.project_id, token.user_id], [project.id, user.id])
    assert.deepEqual(await whoami(token.id).then(each => [each.status, each.user]), [200, 'alice'])
    assert.deepEqual(
      (await listed(alice, 'project', 'list')).map(each => each.Name),
      ['alpha'],
    )
    const roles = await listed(admin, 'role', 'list')
    assert.deepEqual(roles.map(each => each.Name).sort(), ['admin', 'member', 'reader', 'service'])
    await fails(/HTTP 401/, login('alice', 'wrong-password', 'alpha'), 'token', 'issue')
    await fails(/HTTP 401/, login('alice', 'alice-password', 'default'), 'token', 'issue')
    await fails(/HTTP 403|Forbidden/, alice, 'user', 'list')
    await fails(/HTTP 403|No project|Forbidden/, alice, 'project', 'show', 'default')
    await fails(
      /HTTP 403|Forbidden/,
      alice,
      'role',
      'add',
      '--user',
      user.id,
      '--project',
      project.id,
      'admin',
    )
    await done(admin, 'user', 'set', '--disable', 'alice')
    assert.equal((await whoami(token.id)).status, 401)
    await fails(/HTTP 401/, alice, 'token', 'issue')
    await done(admin, 'user', 'set', '--enable', 'alice')
    await done(admin, 'project', 'set', '--disable', 'alpha')
    await fails(/HTTP 401/, alice, 'token', 'issue')
    await done(admin, 'project', 'set', '--enable', 'alpha')
    await done(
      alice,
      'user',
      'password',
      'set',
      '--original-password',
      'alice-password',
      '--password',
      'alice-second',
    )
    await fails(/HTTP 401/, alice, 'token', 'issue')
    const renewed = login('alice', 'alice-second', 'alpha')
    const second = await told(renewed, 'token', 'issue')
    await done(renewed, 'token', 'revoke', second.id)
    assert.equal((await whoami(second.id)).status, 401)
    const byToken = {
      OS_AUTH_URL: url,
      OS_AUTH_TYPE: 'v3token',
      OS_TOKEN: second.id,
      OS_PROJECT_ID: project.id,
    }
    await fails(/HTTP 40[14]/, byToken, 'project', 'list')
    await done(admin, 'role', 'remove', '--user', 'alice', '--project', 'alpha', 'member')
    await fails(/HTTP 401/, renewed, 'token', 'issue')
    await done(admin, 'user', 'delete', 'alice')
    await done(admin, 'project', 'delete', 'alpha')
    await fails(/No user with a name or ID/, admin, 'user', 'show', 'alice')
  })

  test('an application credential logs in where it may, until it is deleted', async () => {
    await done(admin, 'project', 'create', 'beta')
    await done(admin, 'user', 'create', '--password', 'bob-password', 'bob')
    await done(admin, 'role', 'add', '--user', 'bob', '--project', 'beta', 'member')
    const bob = login('bob', 'bob-password', 'beta')
    const made = await told(bob, 'application', 'credential', 'create', '--role', 'reader', 'robot')
    const robot = {
      OS_AUTH_URL: url,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: made.id,
      OS_APPLICATION_CREDENTIAL_SECRET: made.secret,
    }
    const token = await told(robot, 'token', 'issue')
    assert.deepEqual(await whoami(token.id).then(each => [each.user, each.roles]), ['bob', ['reader']])
    await fails(/HTTP 403/, robot, 'application', 'credential', 'create', 'another')
    await fails(/HTTP 401/, { ...robot, OS_APPLICATION_CREDENTIAL_SECRET: 'wrong' }, 'token', 'issue')
    await done(bob, 'application', 'credential', 'delete', 'robot')
    assert.equal((await whoami(token.id)).status, 401)
    await fails(/HTTP 401/, robot, 'token', 'issue')
  })

  test('a trust lets another user act, with its roles, until it is deleted', async () => {
    await done(admin, 'project', 'create', 'gamma')
    const names = ['carol', 'dave']
    const ids: string[] = []
    for (const name of names)
      ids.push((await told(admin, 'user', 'create', '--password', `${name}-password`, name)).id)
    await done(admin, 'role', 'add', '--user', 'carol', '--project', 'gamma', 'member')
    const carol = login('carol', 'carol-password', 'gamma')
    const { project_id } = await told(carol, 'token', 'issue')
    const args = ['--project', project_id, '--role', 'reader', '--impersonate', ids[0]!, ids[1]!]
    const trust = await told(carol, 'trust', 'create', ...args)
    const dave = {
      OS_AUTH_URL: url,
      OS_USERNAME: 'dave',
      OS_PASSWORD: 'dave-password',
      OS_TRUST_ID: trust.id,
    }
    const token = await told(dave, 'token', 'issue')
    assert.deepEqual(await whoami(token.id).then(each => [each.user, each.roles]), ['carol', ['reader']])
    await fails(
      /HTTP 403/,
      { ...login('bob', 'bob-password', ''), OS_PROJECT_NAME: '', OS_TRUST_ID: trust.id },
      'token',
      'issue',
    )
    await done(carol, 'trust', 'delete', trust.id)
    assert.equal((await whoami(token.id)).status, 401)
    await fails(/HTTP 401/, dave, 'token', 'issue')
  })

  test('the catalogue names what this server serves, by the address that was asked', async () => {
    const catalogue = await listed(admin, 'catalog', 'list')
    assert.deepEqual(catalogue.map(each => each.Type).sort(), ['faas', 'faas-router', 'identity'])
    const faas = await told(admin, 'catalog', 'show', 'faas')
    assert.ok(JSON.stringify(faas.endpoints).includes(`${server.url}/v1`))
    assert.equal((await listed(admin, 'endpoint', 'list')).length, 9)
    assert.equal((await listed(admin, 'service', 'list')).length, 3)
    assert.equal((await told(admin, 'domain', 'show', 'default')).name, 'Default')
    assert.equal((await listed(admin, 'region', 'list'))[0]?.Region, 'RegionOne')
  })
})
