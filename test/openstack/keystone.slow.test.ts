import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { BIN, bareEnvironment } from '../support/command.ts'
import { Compute, someServers } from '../support/openstack/compute.ts'
import { type Credentials, Keystone, type Project, REGION, type User } from '../support/openstack/keystone.ts'
import { missing } from '../support/openstack/programs.ts'
import { flagsOf, makeHome, removeHome, ServerProcess } from '../support/server-process.ts'
import { Site } from '../support/site.ts'

const run = promisify(execFile)
const EXAMPLE = join(import.meta.dirname, '../../examples/nova-servers')
const HELLO = { 'index.mjs': 'export default request => `hello from ${request.method}`' }

// A whole server beside a real Keystone, entered there by its own command.
describe('a server whose users are those of a real Keystone', { skip: missing('keystone') }, () => {
  let site: Site
  let keystone: Keystone
  let folder: string
  let passwordFile: string
  let server: ServerProcess
  let alpha: Project
  let alice: User
  let beta: Project
  let bob: User
  const secrets: string[] = []

  const register = (...more: string[]) =>
    run(process.execPath, [BIN, 'openstack', 'register', '--password-file', passwordFile, ...more], {
      env: bareEnvironment({
        HOME: folder,
        OS_AUTH_URL: keystone.url,
        OS_USERNAME: keystone.admin.user,
        OS_PASSWORD: keystone.admin.password,
        OS_PROJECT_NAME: keystone.admin.project,
        OS_REGION_NAME: REGION,
      }),
    })
  async function tokenOf(credentials: Credentials): Promise<string> {
    const token = await keystone.token(credentials)
    secrets.push(token)
    return token
  }
  const loginOf = (user: User, project: Project) => ({
    user: user.name,
    password: user.password,
    project: project.name,
  })
  const as = (token: string) => ({ authorization: `Bearer ${token}` })

  before(async () => {
    site = await Site.open()
    keystone = await Keystone.start(site)
    folder = await mkdtemp(join(tmpdir(), 'atelier-keystone-'))
    passwordFile = join(folder, 'password')
    await register()
    alpha = await keystone.createProject('alpha')
    alice = await keystone.createUser('alice', { project: alpha, roles: ['member'] })
    beta = await keystone.createProject('beta')
    bob = await keystone.createUser('bob', { project: beta, roles: ['member'] })
    server = await ServerProcess.start({
      flags: flagsOf({
        identity: 'keystone',
        'keystone-endpoint': keystone.url,
        'keystone-password-file': passwordFile,
        'keystone-cache-s': '2',
        dialects: 'picasso:0,qinling:0,fn:0',
        'log-level': 'debug',
        isolation: 'none',
      }),
    })
    server.logIn(await tokenOf(loginOf(alice, alpha)))
    await server.deploy('hello', HELLO, { access: 'private' })
  })
  after(async () => {
    await server?.dispose()
    await site?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  const hello = (headers: Readonly<Record<string, string>>) =>
    fetch(`${server.routerUrl}/alpha/default/hello`, { headers })

  test('registering makes user, services and endpoints, and again changes what is another', async () => {
    assert.equal((await stat(passwordFile)).mode & 0o777, 0o600)
    const urls = ['--picasso-url', 'http://127.0.0.1:10001/', '--qinling-url', 'http://127.0.0.1:7070']
    const first = await register(...urls)
    assert.match(
      first.stderr + first.stdout,
      /public endpoint of functions is made: http:\/\/127.0.0.1:10001/,
    )
    const again = await register(...urls)
    assert.doesNotMatch(again.stderr + again.stdout, /is made/)
    const { services } = await keystone.get<{ services: readonly (Project & { type: string })[] }>(
      '/services',
    )
    for (const [type, name] of [
      ['functions', 'picasso'],
      ['function-engine', 'qinling'],
    ]) {
      const found = services.filter(each => each.type === type)
      assert.deepEqual(
        found.map(each => each.name),
        [name],
      )
      const { endpoints } = await keystone.get<{ endpoints: readonly { interface: string; url: string }[] }>(
        `/endpoints?service_id=${found[0]?.id}`,
      )
      assert.deepEqual(endpoints.map(each => each.interface).sort(), ['admin', 'internal', 'public'])
    }
    const moved = await register('--picasso-url', 'http://127.0.0.1:10002')
    assert.match(moved.stderr + moved.stdout, /endpoint of functions is now http:\/\/127.0.0.1:10002/)
    const { users } = await keystone.get<{ users: readonly Project[] }>('/users?name=atelier')
    assert.equal(users.length, 1)
  })

  test('registering with another password sets that, and the server goes on when it is told', async () => {
    const own = await readFile(passwordFile, 'utf8')
    const other = join(folder, 'other-password')
    await writeFile(other, 'quite-another-one\n')
    const set = async (path: string) => {
      const { stdout, stderr } = await register('--password-file', path)
      return stdout + stderr
    }
    assert.match(await set(other), /user atelier is there, with this password from now on/)
    assert.match(await set(passwordFile), /user atelier is there, with this password from now on/)
    assert.match(await set(passwordFile), /user atelier is there, with this password$/m)
    assert.equal(await readFile(passwordFile, 'utf8'), own)
    // Its own token has ended with the password, and is fetched anew.
    assert.equal((await hello(as(await tokenOf(loginOf(alice, alpha))))).status, 200)
  })

  test('registering without a login, or with a wrong one, says so', async () => {
    const env = bareEnvironment({ HOME: folder })
    const args = [BIN, 'openstack', 'register', '--password-file', passwordFile]
    await assert.rejects(run(process.execPath, args, { env }), /OS_AUTH_URL is not set/)
    const wrong = {
      ...env,
      OS_AUTH_URL: keystone.url,
      OS_USERNAME: 'admin',
      OS_PASSWORD: 'wrong-password',
      OS_PROJECT_NAME: 'admin',
    }
    await assert.rejects(run(process.execPath, args, { env: wrong }), (error: Error) => {
      assert.match(error.message, /refuses the login of admin/)
      assert.doesNotMatch(error.message, /wrong-password/)
      return true
    })
  })

  test('a private function answers to its project, and to nobody else', async () => {
    const token = await tokenOf(loginOf(alice, alpha))
    for (const headers of [as(token), { 'x-auth-token': token }]) {
      const answer = await hello(headers)
      assert.deepEqual([answer.status, await answer.text()], [200, 'hello from GET'])
    }
    assert.equal((await hello({})).status, 401)
    assert.equal((await hello(as('gAAAAABforged'))).status, 401)
    assert.equal((await hello(as(await tokenOf(loginOf(bob, beta))))).status, 404)
    const operator = await tokenOf(keystone.admin)
    assert.equal((await hello(as(operator))).status, 200)
  })

  test('projects appear with the id and the name that they have there', async () => {
    const token = await tokenOf(loginOf(bob, beta))
    const { json } = await server.api<{ projectId: string; project: string; user: string }>(
      'GET',
      '/v1/whoami',
      undefined,
      as(token),
    )
    assert.deepEqual([json.projectId, json.project, json.user], [beta.id, 'beta', 'bob'])
    const all = await server.api<{ items: readonly Project[] }>(
      'GET',
      '/v1/projects',
      undefined,
      as(await tokenOf(keystone.admin)),
    )
    const names = all.json.items.map(each => each.name)
    assert.ok(names.includes('alpha') && names.includes('beta') && names.includes('admin'), names.join())
    const own = await server.api<{ items: readonly Project[] }>('GET', '/v1/projects', undefined, as(token))
    assert.deepEqual(
      own.json.items.map(each => each.name),
      ['beta'],
    )
  })

  test('users, logins and grants are asked for at Keystone', async () => {
    const operator = as(await tokenOf(keystone.admin))
    for (const [method, path, body] of [
      ['GET', '/v1/users', undefined],
      ['GET', '/v1/projects/alpha/grants', undefined],
      ['POST', '/v1/tokens', { user: 'alice', password: 'x' }],
    ] as const) {
      const answer = await server.api(method, path, body, operator)
      assert.deepEqual([answer.status, answer.json.code], [501, 'NOT_IMPLEMENTED'], path)
      assert.match(answer.json.detail, /keystone/)
    }
    assert.equal((await fetch(`${server.url}/identity/v3`)).status, 404)
  })

  test('an application credential works within its access rules, and ends with it', async () => {
    const path = '/alpha/default/hello'
    const user = await keystone.token(loginOf(alice, alpha))
    const made = await fetch(`${keystone.url}/users/${alice.id}/application_credentials`, {
      method: 'POST',
      headers: { 'x-auth-token': user, 'content-type': 'application/json' },
      body: JSON.stringify({
        application_credential: {
          name: 'caller',
          access_rules: [{ service: 'faas-router', method: 'GET', path }],
        },
      }),
    })
    const { application_credential: credential } = (await made.json()) as {
      application_credential: { id: string; secret: string }
    }
    const token = await tokenOf({
      applicationCredentialId: credential.id,
      applicationCredentialSecret: credential.secret,
    })
    assert.equal((await hello(as(token))).status, 200)
    const post = await fetch(server.routerUrl + path, { method: 'POST', headers: as(token) })
    assert.equal(post.status, 401)
    assert.equal((await server.api('GET', '/v1/functions', undefined, as(token))).status, 401)
    const picasso = `${server.dialect('picasso')}/v1/${alpha.id}/apps`
    assert.equal((await fetch(picasso, { headers: { 'x-auth-token': token } })).status, 401)
    assert.equal((await fetch(picasso, { headers: { 'x-auth-token': user } })).status, 200)
    // A service that passes on what its caller asked answers for that caller, at each door.
    const broker = await keystone.createUser('broker', { project: alpha, roles: ['service'] })
    const serviceToken = await tokenOf(loginOf(broker, alpha))
    const doors = [
      picasso,
      `${server.dialect('qinling')}/v1/functions`,
      `${server.dialect('fn')}/v2/apps`,
      `${server.url}/v1/functions`,
    ]
    for (const door of doors) {
      const status = async (passedOnBy: Record<string, string>) =>
        (await fetch(door, { headers: { 'x-auth-token': token, ...passedOnBy } })).status
      assert.equal(await status({}), 401, door)
      assert.equal(await status({ 'x-service-token': serviceToken }), 200, door)
      assert.equal(await status({ 'x-service-token': user }), 401, door)
      assert.equal(await status({ 'x-service-token': 'gAAAAABforged' }), 401, door)
    }
    await fetch(`${keystone.url}/users/${alice.id}/application_credentials/${credential.id}`, {
      method: 'DELETE',
      headers: { 'x-auth-token': user },
    })
    await until(async () => (await hello(as(token))).status === 401)
  })

  test("Picasso's callers work in the project of the path, wherever they have a role", async () => {
    const gamma = await keystone.createProject('gamma')
    await keystone.grant(alice, gamma, 'member')
    const apps = (project: Project, token: string) =>
      fetch(`${server.dialect('picasso')}/v1/${project.id}/apps`, { headers: { 'x-auth-token': token } })
    const token = await tokenOf(loginOf(alice, alpha))
    // Never seen before: it appears by being named.
    assert.equal((await apps(gamma, token)).status, 200)
    assert.equal((await apps(beta, token)).status, 401)
    assert.equal((await apps(gamma, await tokenOf(loginOf(bob, beta)))).status, 401)
    assert.equal((await apps(alpha, 'gAAAAABforged')).status, 401)
  })

  test('a role that is taken away is gone when what was believed has ended', async () => {
    const user = await keystone.createUser('carol', { project: alpha, roles: ['member'] })
    const token = await tokenOf(loginOf(user, alpha))
    assert.equal((await hello(as(token))).status, 200)
    await keystone.revoke(user, alpha, 'member')
    await until(async () => (await hello(as(token))).status === 401)
  })

  test("Picasso's own command needs no more than the address of Keystone", async () => {
    const home = await makeHome()
    const picasso = await ServerProcess.start({
      home,
      command: ['picasso-api', '--host', '127.0.0.1', '--port', '0'],
      env: {
        KEYSTONE_ENDPOINT: keystone.url,
        ATELIER_HOME: home,
        ATELIER_PORT: '0',
        ATELIER_ROUTER_PORT: '0',
        ATELIER_ISOLATION: 'none',
      },
    })
    try {
      const apps = `${picasso.dialect('picasso')}/v1/${alpha.id}/apps`
      const ask = (token: string) => fetch(apps, { headers: { 'x-auth-token': token } })
      const answer = await ask(await tokenOf(loginOf(alice, alpha)))
      assert.equal(answer.status, 200)
      assert.equal((await ask(await tokenOf(loginOf(bob, beta)))).status, 401)
    } finally {
      await picasso.dispose()
      await removeHome(home)
    }
  })

  test('a function is lent roles by a trust, whose token every service of the cloud takes', async () => {
    server.logIn(await tokenOf(loginOf(alice, alpha)))
    const tells = {
      'index.mjs': 'export default (request, context) => `${context.token} ${context.authUrl}`',
    }
    const ask = async () => (await (await fetch(`${server.routerUrl}/alpha/default/lent`)).text()).split(' ')
    await server.deploy('lent', tells, { tokenRoles: ['member'] })
    const [token = '', authUrl] = await ask()
    secrets.push(token)
    assert.equal(authUrl, keystone.url)
    const seen = await fetch(`${keystone.url}/auth/tokens?nocatalog`, {
      headers: { 'x-auth-token': await tokenOf(keystone.admin), 'x-subject-token': token },
    })
    assert.equal(seen.status, 200)
    const { token: said } = (await seen.json()) as {
      token: { user: Project; project: Project; roles: readonly Project[]; 'OS-TRUST:trust': { id: string } }
    }
    assert.deepEqual([said.user.id, said.project.id], [alice.id, alpha.id])
    assert.deepEqual(said.roles.map(each => each.name).sort(), ['member', 'reader'])
    assert.equal((await ask())[0], token)
    assert.equal((await server.tryDeploy('lent', tells, { tokenRoles: ['member'] })).json.created, false)
    const none = await server.tryDeploy('greedy', tells, { tokenRoles: ['swiftoperator'] })
    assert.deepEqual([none.status, none.json.code], [400, 'INVALID_INPUT'])
    const robot = await keystone.createApplicationCredential(alice, alpha, 'deployer')
    const own = await tokenOf({
      applicationCredentialId: robot.id,
      applicationCredentialSecret: robot.secret,
    })
    server.logIn(own)
    const refused = await server.tryDeploy('robots', tells, { tokenRoles: ['member'] })
    assert.equal(refused.status, 403, refused.text)
    server.logIn(await tokenOf(loginOf(alice, alpha)))
  })

  test('the example lists the servers of its project in the compute service of the catalogue, as who deployed it', async () => {
    await using compute = await Compute.start({
      authUrl: keystone.url,
      token: () => keystone.token(keystone.admin),
      servers: { [alpha.id]: someServers('alpha', 3), [beta.id]: someServers('beta', 1) },
    })
    await keystone.createService('compute', 'nova', compute.url)
    const token = await tokenOf(loginOf(alice, alpha))
    const deployed = await server.cli('deploy', EXAMPLE, '--url', server.url, '--token', token)
    assert.equal(deployed.code, 0, deployed.stderr)
    const answer = await fetch(`${server.routerUrl}/alpha/default/nova-servers`, { headers: as(token) })
    const told = (await answer.json()) as { count: number; project: string; servers: { name: string }[] }
    assert.deepEqual([told.project, told.count], [alpha.id, 3])
    assert.deepEqual(
      told.servers.map(each => each.name),
      ['alpha-1', 'alpha-2', 'alpha-3'],
    )
    // The token was a lent one, and neither the caller's nor the deployer's.
    assert.equal(new Set(compute.shown).size, 1)
    assert.ok(!secrets.includes(compute.shown[0]!))
    secrets.push(compute.shown[0]!)
  })

  // Last: Keystone does not come back.
  test('when Keystone is gone, who was let in goes on, and others hear whose fault it is', async () => {
    const known = await tokenOf(loginOf(alice, alpha))
    const fresh = await tokenOf(loginOf(bob, beta))
    assert.equal((await hello(as(known))).status, 200)
    await keystone.stop()
    assert.equal((await hello(as(known))).status, 200)
    const answer = await server.api('GET', '/v1/whoami', undefined, as(fresh))
    assert.equal(answer.status, 503)
    assert.match(answer.json.detail, /Keystone at http:\/\/127/)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    // Beyond what is believed without asking.
    await new Promise(resolve => setTimeout(resolve, 2_500))
    assert.equal((await hello(as(known))).status, 200)
  })

  test('no token and no password is in the log or in the data', async () => {
    const password = (await readFile(passwordFile, 'utf8')).trim()
    await server.stop()
    const written = await contentsOf(server.home)
    for (const secret of [...secrets, password, keystone.admin.password, alice.password]) {
      assert.ok(!server.stderr.includes(secret), 'a secret is in the log')
      for (const [path, content] of written) assert.ok(!content.includes(secret), `a secret is in ${path}`)
    }
    assert.match(server.stderr, /"project":"alpha"/)
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'it never came to pass')
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

async function contentsOf(folder: string): Promise<readonly (readonly [string, Buffer])[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(each => each.isFile())
  return Promise.all(
    files.map(async each => {
      const path = join(each.parentPath, each.name)
      return [path, await readFile(path)] as const
    }),
  )
}
