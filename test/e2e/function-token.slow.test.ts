import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Compute, someServers } from '../support/openstack/compute.ts'
import { ServerProcess } from '../support/server-process.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/nova-servers')
const TELLS = {
  'index.mjs': `export default (request, context) => Response.json({
    token: context.token ?? null, authUrl: context.authUrl ?? null, projectId: context.projectId ?? null,
    header: request.headers.get('atelier-auth-token'),
  })`,
}

interface Told {
  readonly token: string
  readonly authUrl: string
  readonly projectId: string
  readonly header: string | null
}

describe('a function that is lent roles', () => {
  let server: ServerProcess
  before(async () => {
    server = await ServerProcess.start({ flags: ['--isolation', 'none'] })
  })
  after(() => server?.dispose())

  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  async function asked(name: string, headers: Readonly<Record<string, string>> = {}): Promise<Told> {
    const answer = await server.call(name, { headers })
    assert.equal(answer.status, 200, answer.text)
    return JSON.parse(answer.text) as Told
  }

  test('gets a token of its project with those roles, and the same one for a while', async () => {
    await server.deploy('lent', TELLS, { tokenRoles: ['reader'] })
    const told = await asked('lent')
    assert.equal(told.header, told.token)
    assert.equal(told.authUrl, `${server.url}/identity/v3`)
    const { json } = await server.api<{
      user: string
      roles: string[]
      projectId: string
      expiresAt: string
    }>('GET', '/v1/whoami', undefined, as(told.token))
    assert.deepEqual([json.user, json.roles, json.projectId], ['admin', ['reader'], told.projectId])
    assert.ok(Date.parse(json.expiresAt) > Date.now() + 30_000)
    assert.equal((await server.api('POST', '/v1/apps', { name: 'x' }, as(told.token))).status, 403)
    assert.equal((await asked('lent')).token, told.token)
  })

  test('lists the servers of its project where no catalogue names the compute service: the example', async () => {
    const authUrl = `${server.url}/identity/v3`
    const { json: who } = await server.api<{ projectId: string }>('GET', '/v1/whoami')
    await using compute = await Compute.start({
      authUrl,
      token: () => server.token(),
      servers: { [who.projectId]: someServers('web', 3), other: someServers('other', 1) },
    })
    const deployed = await server.cli('deploy', EXAMPLE, '--config', `COMPUTE_URL=${compute.url}`)
    assert.equal(deployed.code, 0, deployed.stderr)
    const { code, stdout, stderr } = await server.cli('invoke', 'nova-servers')
    assert.equal(code, 0, stderr)
    const told = JSON.parse(stdout) as { count: number; servers: readonly { name: string }[] }
    assert.equal(told.count, 3)
    assert.deepEqual(
      told.servers.map(each => each.name),
      ['web-1', 'web-2', 'web-3'],
    )
    assert.ok(compute.shown.length === 2 && !compute.shown.includes(await server.token()))
    const refused = await fetch(`${compute.url}/servers/detail`, { headers: { 'x-auth-token': 'forged' } })
    assert.equal(refused.status, 401)
  })

  test('sees no token that a caller sends in its place', async () => {
    const told = await asked('lent', { 'Atelier-Auth-Token': 'mine', atelier_auth_token: 'mine' })
    assert.notEqual(told.token, 'mine')
  })

  test('without lent roles there is none', async () => {
    await server.deploy('plain', TELLS)
    assert.deepEqual(await asked('plain', { 'atelier-auth-token': 'mine' }), {
      token: null,
      authUrl: null,
      projectId: null,
      header: null,
    })
  })

  test('the same deploy again lends nothing anew', async () => {
    const again = await server.tryDeploy('lent', TELLS, { tokenRoles: ['reader'] })
    assert.equal(again.json.created, false)
  })

  test('nobody lends what is not theirs, nor what was lent to them', async () => {
    const none = await server.tryDeploy('greedy', TELLS, { tokenRoles: ['no-such-role'] })
    assert.deepEqual([none.status, none.json.code], [400, 'INVALID_INPUT'])
    const { token } = await asked('member-token').catch(async () => {
      await server.deploy('member-token', TELLS, { tokenRoles: ['member'] })
      return asked('member-token')
    })
    const form = new FormData()
    form.set('settings', JSON.stringify({ tokenRoles: ['member'] }))
    form.set('package', new Blob(['export default () => 1']), 'index.mjs')
    const answer = await server.api('POST', '/v1/apps/default/functions/passed/deploy', form, as(token))
    assert.equal(answer.status, 403, answer.text)
  })

  test('when the trust is gone, its token is worth nothing', async () => {
    const { token } = await asked('lent')
    const found = await server.api<{ spec: { token: { trustId: string } } }>(
      'GET',
      '/v1/apps/default/functions/lent/versions/1',
    )
    const { trustId } = found.json.spec.token
    const gone = await fetch(`${server.url}/identity/v3/OS-TRUST/trusts/${trustId}`, {
      method: 'DELETE',
      headers: { 'x-auth-token': await server.token() },
    })
    assert.equal(gone.status, 204)
    assert.equal((await server.api('GET', '/v1/whoami', undefined, as(token))).status, 401)
  })
})
