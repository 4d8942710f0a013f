import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type KeystoneClient,
  keys,
  names,
  passwordLogin,
  refused,
  tokenLogin,
  worthless,
} from '../../support/keystone-client.ts'

/** Who may ask what a token is worth, and when it is worth nothing any more. */
export function validationTests(keystone: KeystoneClient): void {
  test('a token tells its own user, an administrator and a service what it stands for', async () => {
    const { user, project, token } = await keystone.member()
    const given = (await keystone.login(passwordLogin(user, project))).json.token
    for (const by of [token, keystone.admin, await keystone.service()]) {
      const answer = await keystone.call('GET', '/auth/tokens', { token: by, subject: token })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('x-subject-token'), token)
      assert.deepEqual(keys(answer.json.token), keys(given))
      assert.deepEqual(answer.json.token.user, given.user)
      assert.deepEqual(names(answer.json.token.roles), ['member', 'reader'])
      const short = await keystone.call('GET', '/auth/tokens?nocatalog', { token: by, subject: token })
      assert.equal(short.json.token.catalog, undefined)
    }
  })

  test('HEAD tells the same without words, though not to a service', async () => {
    const { token } = await keystone.member()
    for (const by of [token, keystone.admin]) {
      const answer = await keystone.call('HEAD', '/auth/tokens', { token: by, subject: token })
      assert.deepEqual([answer.status, answer.text], [200, ''])
    }
    const service = await keystone.service()
    assert.equal(
      (await keystone.call('HEAD', '/auth/tokens', { token: service, subject: token })).status,
      403,
    )
  })

  test('who asks must be somebody, and somebody who may', async () => {
    const { token } = await keystone.member()
    const stranger = await keystone.member()
    refused(await keystone.call('GET', '/auth/tokens', { subject: token }), 401)
    for (const forged of ['', 'nonsense', `${token}x`, 'a'.repeat(5000)])
      refused(await keystone.call('GET', '/auth/tokens', { token: forged, subject: token }), 401)
    refused(await keystone.call('GET', '/auth/tokens', { token: stranger.token, subject: token }), 403)
    refused(await keystone.call('GET', '/auth/tokens', { token: keystone.admin, subject: 'nonsense' }), 404)
    refused(await keystone.call('GET', '/auth/tokens', { token: keystone.admin }), 404)
  })

  test('a token is ended by itself or by an administrator, by nobody else, and at once', async () => {
    const one = await keystone.member()
    const stranger = await keystone.member()
    for (const by of [stranger.token, await keystone.service()])
      refused(await keystone.call('DELETE', '/auth/tokens', { token: by, subject: one.token }), 403)
    assert.equal(await keystone.validate(one.token), 200)
    const other = await keystone.token(passwordLogin(one.user, one.project))
    const ended = await keystone.call('DELETE', '/auth/tokens', { token: one.token, subject: one.token })
    assert.deepEqual([ended.status, ended.text], [204, ''])
    assert.equal(await keystone.validate(one.token), 404)
    refused(await keystone.call('GET', '/auth/projects', { token: one.token }), 401)
    refused(await keystone.login(tokenLogin(one.token)), 404)
    assert.equal(await keystone.validate(other), 200)
    const byAdmin = await keystone.call('DELETE', '/auth/tokens', { token: keystone.admin, subject: other })
    assert.equal(byAdmin.status, 204)
    assert.equal(await keystone.validate(other), 404)
    refused(await keystone.call('DELETE', '/auth/tokens', { token: keystone.admin, subject: other }), 404)
  })

  test('a user who is switched off loses every token, for good', async () => {
    const { user, project, token } = await keystone.member()
    await keystone.manage('PATCH', `/users/${user.id}`, { user: { enabled: false } })
    assert.equal(await keystone.validate(token), 404)
    refused(await keystone.login(tokenLogin(token)), 404)
    await keystone.manage('PATCH', `/users/${user.id}`, { user: { enabled: true } })
    assert.equal(await keystone.validate(token), 404)
    await keystone.token(passwordLogin(user, project))
  })

  test('a new password ends every token', async () => {
    const { user, project, token } = await keystone.member()
    await keystone.manage('PATCH', `/users/${user.id}`, { user: { password: 'another password' } })
    assert.equal(await keystone.validate(token), 404)
    refused(await keystone.login(passwordLogin(user, project)), 401)
    await keystone.token(passwordLogin({ ...user, password: 'another password' }, project))
  })

  test('users change their own password by the old one', async () => {
    const { user, project, token } = await keystone.member()
    const path = `/users/${user.id}/password`
    const change = (original_password: string) => ({
      user: { original_password, password: 'a password of my own' },
    })
    refused(await keystone.call('POST', path, { token, body: change('a guess at it') }), 401)
    assert.equal(await keystone.validate(token), 200)
    const changed = await keystone.call('POST', path, { token, body: change(user.password) })
    assert.deepEqual([changed.status, changed.text], [204, ''])
    assert.equal(await keystone.validate(token), 404)
    await keystone.token(passwordLogin({ ...user, password: 'a password of my own' }, project))
  })

  test('with the role the token goes', async () => {
    const { user, project, token } = await keystone.member()
    await keystone.manage('DELETE', keystone.grantPath(user, project, 'member'))
    assert.equal(await keystone.validate(token), 404)
    refused(await keystone.login(passwordLogin(user, project)), 401)
  })

  test('with the project the token goes', async () => {
    const one = await keystone.member()
    await keystone.manage('PATCH', `/projects/${one.project.id}`, { project: { enabled: false } })
    assert.equal(await keystone.validate(one.token), 404)
    await keystone.manage('PATCH', `/projects/${one.project.id}`, { project: { enabled: true } })
    const token = await keystone.token(passwordLogin(one.user, one.project))
    await keystone.manage('DELETE', `/projects/${one.project.id}`)
    assert.equal(await keystone.validate(token), 404)
  })

  test('with the user the token goes', async () => {
    const { user, token } = await keystone.member()
    await keystone.manage('DELETE', `/users/${user.id}`)
    assert.equal(await keystone.validate(token), 404)
    worthless(await keystone.call('GET', '/auth/projects', { token }))
  })

  test('a token tells where its user could work, and what there is', async () => {
    const { user, project, token } = await keystone.member()
    const second = await keystone.project()
    await keystone.project()
    await keystone.grant(user, second, 'reader')
    const { json } = await keystone.call('GET', '/auth/projects', { token })
    assert.deepEqual(names(json.projects), names([project, second]))
    assert.deepEqual(json.links, { next: null, self: `${keystone.url}/auth/projects`, previous: null })
    const catalogue = await keystone.call('GET', '/auth/catalog', { token })
    assert.deepEqual(keys(catalogue.json), ['catalog', 'links'])
    const unscoped = await keystone.token(tokenLogin(token, 'unscoped'))
    assert.equal((await keystone.call('GET', '/auth/projects', { token: unscoped })).status, 200)
    refused(await keystone.call('GET', '/auth/catalog', { token: unscoped }), 403)
    for (const path of ['/auth/domains', '/auth/system'])
      assert.equal((await keystone.call('GET', path, { token })).status, 200)
  })
}
