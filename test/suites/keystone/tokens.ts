import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DEFAULT_DOMAIN,
  type KeystoneClient,
  keys,
  names,
  passwordLogin,
  refused,
  tokenLogin,
} from '../../support/keystone-client.ts'

const SCOPED = 'audit_ids catalog expires_at is_domain issued_at methods project roles user'.split(' ')
const UNSCOPED = 'audit_ids expires_at issued_at methods user'.split(' ')

/** Versions, logins, scopes. */
export function tokenTests(keystone: KeystoneClient): void {
  test('the version documents tell where the API is', async () => {
    const root = await fetch(keystone.url.replace(/v3$/, ''), { redirect: 'manual' })
    assert.equal(root.status, 300)
    assert.equal(root.headers.get('location'), `${keystone.url}/`)
    const [listed] = ((await root.json()) as { versions: { values: object[] } }).versions.values
    for (const path of ['', '/']) {
      const { status, json } = await keystone.call('GET', path)
      assert.equal(status, 200)
      assert.deepEqual(json.version, listed)
      assert.deepEqual(keys(json.version), ['id', 'links', 'media-types', 'status', 'updated'])
      assert.deepEqual(json.version.links, [{ rel: 'self', href: `${keystone.url}/` }])
    }
  })

  test('a password gives a token for a project, with roles and catalogue', async () => {
    const { user, project } = await keystone.member()
    const answer = await keystone.login(passwordLogin(user, { name: project.name }))
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('vary'), 'X-Auth-Token')
    assert.match(answer.headers.get('x-openstack-request-id') ?? '', /^req-[0-9a-f-]{36}$/)
    assert.ok(answer.headers.get('x-subject-token'))
    const { token } = answer.json
    assert.deepEqual(keys(token), SCOPED)
    assert.deepEqual(token.methods, ['password'])
    const domain = { id: 'default', name: 'Default' }
    assert.deepEqual(token.user, { domain, id: user.id, name: user.name, password_expires_at: null })
    assert.deepEqual(token.project, { domain, id: project.id, name: project.name })
    assert.equal(token.is_domain, false)
    assert.deepEqual(names(token.roles), ['member', 'reader'])
    assert.deepEqual(keys(token.roles[0]), ['id', 'name'])
    assert.equal(token.audit_ids.length, 1)
    for (const time of [token.expires_at, token.issued_at])
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    const identity = token.catalog.find(each => each.type === 'identity')!
    assert.deepEqual(keys(identity), ['endpoints', 'id', 'name', 'type'])
    assert.deepEqual(keys(identity.endpoints[0]), ['id', 'interface', 'region', 'region_id', 'url'])
    assert.deepEqual(identity.endpoints.map(each => each.interface).sort(), ['admin', 'internal', 'public'])
  })

  test('the catalogue is left out for who does not want it', async () => {
    const { user, project } = await keystone.member()
    const body = { auth: passwordLogin(user, project) }
    const { status, json } = await keystone.call('POST', '/auth/tokens?nocatalog', { body })
    assert.equal(status, 201)
    assert.deepEqual(
      keys(json.token),
      SCOPED.filter(each => each !== 'catalog'),
    )
  })

  test('user and project are named by id as well', async () => {
    const { user, project } = await keystone.member()
    const auth = {
      identity: { methods: ['password'], password: { user: { id: user.id, password: user.password } } },
      scope: { project: { id: project.id } },
    }
    const { status, json } = await keystone.login(auth)
    assert.equal(status, 201)
    assert.equal(json.token.project.name, project.name)
  })

  test('a token without a project has neither roles nor catalogue', async () => {
    const { user } = await keystone.member()
    for (const scope of [{ scope: 'unscoped' }, { scope: { unscoped: {} } }, {}]) {
      const { status, json } = await keystone.login({ ...passwordLogin(user), ...scope })
      assert.equal(status, 201, JSON.stringify(scope))
      assert.deepEqual(keys(json.token), UNSCOPED)
    }
  })

  test('without a scope the default project is taken, when the user may work there', async () => {
    const { user, project } = await keystone.member()
    const other = await keystone.project()
    await keystone.manage('PATCH', `/users/${user.id}`, { user: { default_project_id: project.id } })
    assert.equal((await keystone.login(passwordLogin(user))).json.token.project.id, project.id)
    assert.deepEqual(
      keys((await keystone.login({ ...passwordLogin(user), scope: 'unscoped' })).json.token),
      UNSCOPED,
    )
    await keystone.manage('PATCH', `/users/${user.id}`, { user: { default_project_id: other.id } })
    assert.deepEqual(keys((await keystone.login(passwordLogin(user))).json.token), UNSCOPED)
  })

  test('whatever is wrong with a login, the answer is the same', async () => {
    const { user, project } = await keystone.member()
    const other = await keystone.project()
    const disabledProject = await keystone.project()
    const disabled = await keystone.user([project, 'member'])
    await keystone.grant(user, disabledProject, 'member')
    await keystone.manage('PATCH', `/projects/${disabledProject.id}`, { project: { enabled: false } })
    await keystone.manage('PATCH', `/users/${disabled.id}`, { user: { enabled: false } })
    const right = passwordLogin(user, project)
    const wrong: readonly object[] = [
      passwordLogin({ ...user, password: 'not the password' }, project),
      passwordLogin({ ...user, password: '' }, project),
      passwordLogin({ name: keystone.fresh('nobody'), password: 'any password' }, project),
      passwordLogin(disabled, project),
      passwordLogin(user, { name: keystone.fresh('nowhere') }),
      passwordLogin(user, { id: 'nowhere', name: '' }),
      passwordLogin(user, other),
      passwordLogin(user, disabledProject),
      { ...passwordLogin(user), scope: { domain: DEFAULT_DOMAIN } },
      { ...passwordLogin(user), scope: { system: { all: true } } },
      { ...passwordLogin(user), scope: { 'OS-TRUST:trust': { id: 'no-trust' } } },
    ]
    const bodies = new Set<string>()
    for (const auth of wrong) {
      const answer = await keystone.login(auth)
      refused(answer, 401)
      bodies.add(answer.text)
      await keystone.token(right)
    }
    assert.equal(bodies.size, 1)
    refused(await keystone.login(tokenLogin('no-token', { project: { id: project.id } })), 404)
  })

  test('a login that is none is malformed', async () => {
    const { user } = await keystone.member()
    const bodies = [
      '{',
      '{}',
      '[]',
      '{"auth":{}}',
      '{"auth":{"identity":{}}}',
      '{"auth":{"identity":{"methods":["password"]}}}',
      '{"auth":{"identity":{"methods":["token"],"token":{"id":7}}}}',
      JSON.stringify({
        auth: { ...passwordLogin(user), scope: { project: { name: user.name, domain: 'x' } } },
      }),
    ]
    for (const raw of bodies) refused(await keystone.call('POST', '/auth/tokens', { raw }), 400)
    refused(
      await keystone.call('POST', '/auth/tokens', {
        raw: 'auth=1',
        headers: { 'content-type': 'text/plain' },
      }),
      400,
    )
  })

  test('a token gives another for a project of its user, which does not live longer', async () => {
    const { user, project, token } = await keystone.member()
    const second = await keystone.project()
    await keystone.grant(user, second, 'reader')
    const first = (await keystone.call('GET', '/auth/tokens', { token, subject: token })).json.token
    const { status, json } = await keystone.login(tokenLogin(token, { project: { id: second.id } }))
    assert.equal(status, 201)
    assert.deepEqual(keys(json.token), SCOPED)
    assert.deepEqual(json.token.methods.toSorted(), ['password', 'token'])
    assert.equal(json.token.expires_at, first.expires_at)
    assert.equal(json.token.audit_ids.length, 2)
    assert.equal(json.token.audit_ids[1], first.audit_ids[0])
    assert.deepEqual(names(json.token.roles), ['reader'])
    const unscoped = await keystone.token(tokenLogin(token, 'unscoped'))
    const third = await keystone.login(tokenLogin(unscoped, { project: { id: project.id } }))
    assert.equal(third.json.token.expires_at, first.expires_at)
    assert.equal(third.json.token.audit_ids[1], first.audit_ids[0])
    refused(await keystone.login(tokenLogin(token, { project: { id: (await keystone.project()).id } })), 401)
  })
}
