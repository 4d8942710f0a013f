import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  credentialLogin,
  DEFAULT_DOMAIN,
  type KeystoneClient,
  type KnownUser,
  keys,
  names,
  refused,
  tokenLogin,
  worthless,
} from '../../support/keystone-client.ts'

const SHOWN = 'description expires_at id links name project_id roles system unrestricted user_id'.split(' ')

/** Application credentials: logins for programs. */
export function credentialTests(keystone: KeystoneClient): void {
  const pathOf = (user: KnownUser): string => `/users/${user.id}/application_credentials`
  const make = (user: KnownUser, token: string, application_credential: object) =>
    keystone.call('POST', pathOf(user), { token, body: { application_credential } })
  const made = async (user: KnownUser, token: string, input: object) => {
    const answer = await make(user, token, input)
    assert.equal(answer.status, 201, answer.text)
    return answer.json.application_credential
  }

  test('a user makes an application credential, whose secret is shown once', async () => {
    const { user, project, token } = await keystone.member()
    const credential = await made(user, token, { name: 'robot' })
    assert.deepEqual(keys(credential), [...SHOWN, 'secret'].sort())
    assert.match(credential.secret, /^[\w-]{86}$/)
    assert.deepEqual(
      [credential.user_id, credential.project_id, credential.unrestricted, credential.expires_at],
      [user.id, project.id, null, null],
    )
    assert.deepEqual(names(credential.roles), ['member', 'reader'])
    assert.deepEqual(keys(credential.roles[0]), ['description', 'domain_id', 'id', 'name', 'options'])
    const { secret: _, roles: __, ...shown } = credential
    const single = await keystone.call('GET', `${pathOf(user)}/${credential.id}`, { token })
    const { roles, ...rest } = single.json.application_credential
    assert.deepEqual(rest, shown)
    assert.deepEqual(names(roles), ['member', 'reader'])
    const list = await keystone.call('GET', pathOf(user), { token })
    assert.deepEqual(list.json.application_credentials.map(keys), [SHOWN])
    assert.deepEqual(
      (await keystone.call('GET', `${pathOf(user)}?name=x`, { token })).json.application_credentials,
      [],
    )
  })

  test('it logs in by id or by name, to its project alone', async () => {
    const { user, project, token } = await keystone.member()
    const { id, secret } = await made(user, token, { name: 'robot', roles: [{ name: 'reader' }] })
    const byName = { name: 'robot', user: { name: user.name, domain: DEFAULT_DOMAIN }, secret }
    for (const credential of [{ id, secret }, byName]) {
      const { status, json } = await keystone.login(credentialLogin(credential))
      assert.equal(status, 201)
      assert.deepEqual(json.token.methods, ['application_credential'])
      assert.deepEqual(json.token.application_credential, { id, name: 'robot', restricted: true })
      assert.deepEqual(names(json.token.roles), ['reader'])
      assert.equal(json.token.project.id, project.id)
      assert.equal(json.token.user.id, user.id)
    }
    refused(await keystone.login(credentialLogin({ id, secret: `x${secret}` })), 401)
    const unknown = [
      { id: 'no-such-credential', secret },
      { ...byName, name: 'another' },
      { ...byName, user: { name: keystone.fresh('nobody'), domain: DEFAULT_DOMAIN } },
    ]
    for (const credential of unknown) {
      const answer = await keystone.login(credentialLogin(credential))
      refused(answer, answer.status === 404 ? 404 : 401) // OpenStack's own tells what there is; ours does not
    }
    const second = await keystone.project()
    await keystone.grant(user, second, 'member')
    for (const scope of ['unscoped', { project: { id: second.id } }, { domain: DEFAULT_DOMAIN }]) {
      const answer = await keystone.login({ ...credentialLogin({ id, secret }), scope })
      if (answer.status === 201) assert.equal(answer.json.token.project.id, project.id)
      else refused(answer, 401)
    }
  })

  test('its token makes neither tokens nor trusts, nor credentials unless it is unrestricted', async () => {
    const { user, project, token } = await keystone.member()
    const restricted = await made(user, token, { name: 'restricted' })
    const own = await keystone.token(credentialLogin(restricted))
    refused(await keystone.login(tokenLogin(own, { project: { id: project.id } })), 403)
    refused(await keystone.login(tokenLogin(own)), 403)
    refused(await make(user, own, { name: 'child' }), 403)
    refused(await keystone.call('DELETE', `${pathOf(user)}/${restricted.id}`, { token: own }), 403)
    const input = { name: 'free', unrestricted: true, roles: [{ name: 'reader' }] }
    const free = await keystone.token(credentialLogin(await made(user, token, input)))
    refused(await keystone.login(tokenLogin(free)), 403)
    refused(await make(user, free, { name: 'more', roles: [{ name: 'member' }] }), 400)
    const child = await made(user, free, { name: 'child' })
    assert.deepEqual(names(child.roles), ['reader'])
    const gone = await keystone.call('DELETE', `${pathOf(user)}/${child.id}`, { token: free })
    assert.equal(gone.status, 204)
    const trust = {
      trustor_user_id: user.id,
      trustee_user_id: user.id,
      project_id: project.id,
      impersonation: true,
      roles: [{ id: keystone.role('reader') }],
    }
    for (const by of [own, free])
      refused(await keystone.call('POST', '/OS-TRUST/trusts', { token: by, body: { trust } }), 403)
  })

  test('deleted, its tokens are worth nothing at once', async () => {
    const { user, token } = await keystone.member()
    const credential = await made(user, token, { name: 'robot' })
    const own = await keystone.token(credentialLogin(credential))
    assert.equal(await keystone.validate(own), 200)
    const deleted = await keystone.call('DELETE', `${pathOf(user)}/${credential.id}`, { token })
    assert.deepEqual([deleted.status, deleted.text], [204, ''])
    assert.equal(await keystone.validate(own), 404)
    worthless(await keystone.call('GET', '/auth/projects', { token: own }))
    worthless(await keystone.login(credentialLogin(credential)))
    refused(await keystone.call('GET', `${pathOf(user)}/${credential.id}`, { token }), 404)
    refused(await keystone.call('DELETE', `${pathOf(user)}/${credential.id}`, { token }), 404)
  })

  test('it goes with the role that it was made of', async () => {
    const { user, project, token } = await keystone.member()
    const credential = await made(user, token, { name: 'robot' })
    const own = await keystone.token(credentialLogin(credential))
    await keystone.manage('DELETE', keystone.grantPath(user, project, 'member'))
    assert.equal(await keystone.validate(own), 404)
    refused(await keystone.login(credentialLogin(credential)), 401)
  })

  test('what cannot be is refused', async () => {
    const { user, token } = await keystone.member()
    await made(user, token, { name: 'robot' })
    refused(await make(user, token, { name: 'robot' }), 409)
    const wrong = [
      {},
      { name: 7 },
      { name: 'x', roles: [{ name: 'admin' }] },
      { name: 'x', roles: 'member' },
      { name: 'x', expires_at: '2001-01-01T00:00:00.000000' },
      { name: 'x', expires_at: 'tomorrow' },
      { name: 'x', unrestricted: 'yes' },
      { name: 'x', access_rules: [{ path: 'v1', method: 'GET', service: 'faas' }] },
      { name: 'x', access_rules: [{ path: '/v1', method: 'LOOK', service: 'faas' }] },
    ]
    for (const input of wrong) refused(await make(user, token, input), 400)
  })

  test('nobody else sees or makes it', async () => {
    const { user, token } = await keystone.member()
    const other = await keystone.member()
    const { id } = await made(user, token, { name: 'robot' })
    refused(await make(user, other.token, { name: 'mine' }), 403)
    refused(await make(user, keystone.admin, { name: 'mine' }), 403)
    refused(await keystone.call('GET', pathOf(user), { token: other.token }), 403)
    for (const method of ['GET', 'DELETE']) {
      refused(await keystone.call(method, `${pathOf(user)}/${id}`, { token: other.token }), 403)
      const { status } = await keystone.call(method, `${pathOf(other.user)}/${id}`, { token: other.token })
      assert.ok(status === 403 || status === 404, `${method} ${status}`)
    }
    const seen = await keystone.call('GET', `${pathOf(user)}/${id}`, { token: keystone.admin })
    assert.equal(seen.json.application_credential.secret, undefined)
  })

  test('an end is kept, and no token lives longer', async () => {
    const { user, token } = await keystone.member()
    const soon = new Date(Date.parse((await life(token)).issued_at) + 900_000)
    const expires_at = soon.toISOString().replace('Z', '000')
    const credential = await made(user, token, { name: 'robot', expires_at, description: 'for a while' })
    assert.equal(credential.expires_at, expires_at)
    assert.equal(credential.description, 'for a while')
    const own = await life(await keystone.token(credentialLogin(credential)))
    assert.ok(own.expires_at <= `${expires_at}Z`, `${own.expires_at} ${expires_at}`)
  })

  test('access rules are told to who promises to keep to them, and the token is refused to others', async () => {
    const { user, token } = await keystone.member()
    const rule = { service: 'faas', method: 'GET', path: '/v1/**' }
    const credential = await made(user, token, { name: 'narrow', access_rules: [rule] })
    const [stored] = credential.access_rules
    assert.deepEqual({ ...stored, id: '' }, { ...rule, id: '' })
    const own = await keystone.token(credentialLogin(credential))
    assert.equal(await keystone.validate(own), 404)
    const promise = { 'openstack-identity-access-rules': '1' }
    const answer = await keystone.call('GET', '/auth/tokens', {
      token: keystone.admin,
      subject: own,
      headers: promise,
    })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.json.token.application_credential.access_rules, [stored])
    const rules = (await keystone.call('GET', `/users/${user.id}/access_rules`, { token })).json
    assert.deepEqual(keys(rules), ['access_rules', 'links'])
    assert.equal(rules.access_rules[0].id, stored.id)
    refused(await keystone.call('DELETE', `/users/${user.id}/access_rules/${stored.id}`, { token }), 403)
    refused(await keystone.call('GET', `/users/${user.id}/access_rules/nothing`, { token }), 404)
    const again = await made(user, token, { name: 'same', access_rules: [{ id: stored.id }] })
    assert.deepEqual(again.access_rules, [stored])
  })

  async function life(token: string): Promise<{ expires_at: string; issued_at: string }> {
    return (await keystone.call('GET', '/auth/tokens', { token, subject: token })).json.token
  }
}
