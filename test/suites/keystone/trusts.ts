import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type KeystoneClient,
  type Known,
  type KnownUser,
  keys,
  names,
  passwordLogin,
  refused,
  tokenLogin,
  trustLogin,
  worthless,
} from '../../support/keystone-client.ts'

const LISTED = (
  'deleted_at expires_at id impersonation links project_id redelegated_trust_id redelegation_count ' +
  'remaining_uses trustee_user_id trustor_user_id'
).split(' ')

/** Trusts: one user's roles in a project, lent to another. */
export function trustTests(keystone: KeystoneClient): void {
  interface Lent {
    readonly user: KnownUser
    readonly project: Known
    readonly token: string
    readonly trustee: KnownUser
    readonly body: Readonly<Record<string, unknown>>
  }

  async function lending(): Promise<Lent> {
    const one = await keystone.member()
    const trustee = await keystone.user()
    const body = {
      trustor_user_id: one.user.id,
      trustee_user_id: trustee.id,
      project_id: one.project.id,
      impersonation: true,
      roles: [{ name: 'reader' }],
    }
    return { ...one, trustee, body }
  }
  const make = (token: string, trust: object) =>
    keystone.call('POST', '/OS-TRUST/trusts', { token, body: { trust } })
  const made = async (token: string, input: object) => {
    const answer = await make(token, input)
    assert.equal(answer.status, 201, answer.text)
    return answer.json.trust
  }

  test('a trust lends roles to another user, who acts as the one who lent them', async () => {
    const { user, project, token, trustee, body } = await lending()
    const trust = await made(token, body)
    assert.deepEqual(keys(trust), [...LISTED, 'roles', 'roles_links'].sort())
    assert.deepEqual(names(trust.roles), ['reader'])
    assert.deepEqual(
      [trust.trustor_user_id, trust.trustee_user_id, trust.project_id, trust.impersonation],
      [user.id, trustee.id, project.id, true],
    )
    const { status, json } = await keystone.login(trustLogin(trustee, trust))
    assert.equal(status, 201)
    const expected = 'OS-TRUST:trust audit_ids catalog expires_at issued_at methods project roles user'
    assert.deepEqual(keys(json.token), expected.split(' '))
    assert.equal(json.token.user.id, user.id)
    assert.deepEqual(json.token['OS-TRUST:trust'], {
      id: trust.id,
      impersonation: true,
      trustor_user: { id: user.id },
      trustee_user: { id: trustee.id },
    })
    assert.deepEqual(names(json.token.roles), ['reader'])
    assert.deepEqual(json.token.methods, ['password'])
  })

  test('without impersonation the trustee acts under the own name', async () => {
    const { project, token, trustee, body } = await lending()
    const trust = await made(token, { ...body, impersonation: false })
    const { json } = await keystone.login(trustLogin(trustee, trust))
    assert.equal(json.token.user.id, trustee.id)
    assert.equal(json.token.project.id, project.id)
    assert.deepEqual(names(json.token.roles), ['reader'])
  })

  test('a trust is seen by the two that it is between', async () => {
    const { user, token, trustee, body } = await lending()
    const trust = await made(token, body)
    const stranger = await keystone.member()
    const other = await keystone.token({ ...passwordLogin(trustee), scope: 'unscoped' })
    const path = `/OS-TRUST/trusts/${trust.id}`
    for (const by of [token, other, keystone.admin])
      assert.deepEqual((await keystone.call('GET', path, { token: by })).json.trust.id, trust.id)
    refused(await keystone.call('GET', path, { token: stranger.token }), 403)
    const listed = (await keystone.call('GET', `/OS-TRUST/trusts?trustor_user_id=${user.id}`, { token })).json
    assert.deepEqual(listed.trusts.map(keys), [LISTED])
    const toTrustee = await keystone.call('GET', `/OS-TRUST/trusts?trustee_user_id=${trustee.id}`, {
      token: other,
    })
    assert.equal(toTrustee.json.trusts.length, 1)
    for (const query of ['', `?trustor_user_id=${user.id}`, `?trustee_user_id=${trustee.id}`])
      refused(await keystone.call('GET', `/OS-TRUST/trusts${query}`, { token: stranger.token }), 403)
    const { roles } = (await keystone.call('GET', `${path}/roles`, { token })).json
    assert.deepEqual(names(roles), ['reader'])
    refused(await keystone.call('GET', '/OS-TRUST/trusts/nothing', { token }), 404)
  })

  test('nobody lends what is not theirs', async () => {
    const { token, trustee, body } = await lending()
    const other = await keystone.token({ ...passwordLogin(trustee), scope: 'unscoped' })
    refused(await make(token, { ...body, roles: [{ name: 'admin' }] }), 404)
    refused(await make(token, { ...body, roles: [{ id: 'nothing' }] }), 404)
    refused(await make(token, { ...body, roles: [] }), 403)
    refused(await make(token, { ...body, trustor_user_id: trustee.id }), 403)
    refused(await make(other, body), 403)
    refused(await make(keystone.admin, body), 403)
    refused(await make(token, { ...body, project_id: 'nowhere' }), 404)
    refused(await make(token, { ...body, project_id: (await keystone.project()).id }), 404)
    refused(await make(token, { ...body, trustee_user_id: 'nobody' }), 404)
    refused(await make(token, { ...body, expires_at: '2001-01-01T00:00:00.000000Z' }), 400)
    refused(await make(token, { ...body, remaining_uses: 0 }), 400)
    refused(await make(token, { trustor_user_id: body['trustor_user_id'] }), 400)
  })

  test('a trust is for its trustee alone', async () => {
    const { token, user, trustee, body } = await lending()
    const stranger = await keystone.user()
    const trust = await made(token, body)
    refused(await keystone.login(trustLogin(stranger, trust)), 403)
    refused(await keystone.login(trustLogin(user, trust)), 403)
    refused(await keystone.login(trustLogin({ ...trustee, password: 'wrong password' }, trust)), 401)
  })

  test('its token makes nothing more of itself', async () => {
    const { user, project, token, trustee, body } = await lending()
    const trust = await made(token, body)
    const lent = await keystone.token(trustLogin(trustee, trust))
    refused(await keystone.login(tokenLogin(lent, { project: { id: project.id } })), 403)
    refused(await keystone.login(tokenLogin(lent, 'unscoped')), 403)
    refused(await make(lent, { ...body, roles: [{ name: 'member' }] }), 403)
    refused(await make(lent, body), 403)
    const credentials = `/users/${user.id}/application_credentials`
    const application_credential = { name: 'mine' }
    refused(await keystone.call('POST', credentials, { token: lent, body: { application_credential } }), 403)
    refused(await keystone.call('GET', credentials, { token: lent }), 403)
  })

  test('a trust is ended by who gave it, and with it its tokens, at once', async () => {
    const { token, trustee, body } = await lending()
    const trust = await made(token, body)
    const lent = await keystone.token(trustLogin(trustee, trust))
    assert.equal(await keystone.validate(lent), 200)
    const other = await keystone.token({ ...passwordLogin(trustee), scope: 'unscoped' })
    const path = `/OS-TRUST/trusts/${trust.id}`
    refused(await keystone.call('DELETE', path, { token: other }), 403)
    refused(await keystone.call('DELETE', path, { token: (await keystone.member()).token }), 403)
    const deleted = await keystone.call('DELETE', path, { token })
    assert.deepEqual([deleted.status, deleted.text], [204, ''])
    assert.equal(await keystone.validate(lent), 404)
    worthless(await keystone.call('GET', '/auth/projects', { token: lent }))
    refused(await keystone.login(trustLogin(trustee, trust)), 401)
    refused(await keystone.call('DELETE', path, { token }), 404)
  })

  test('a token of a trust gives that trust back', async () => {
    const { token, trustee, body } = await lending()
    const trust = await made(token, body)
    const lent = await keystone.token(trustLogin(trustee, trust))
    const deleted = await keystone.call('DELETE', `/OS-TRUST/trusts/${trust.id}`, { token: lent })
    assert.equal(deleted.status, 204)
    assert.equal(await keystone.validate(lent), 404)
  })

  test('a trust ends with the roles or the users that it stands on', async () => {
    for (const end of ['role', 'trustor', 'trustee'] as const) {
      const { user, project, token, trustee, body } = await lending()
      const trust = await made(token, body)
      const lent = await keystone.token(trustLogin(trustee, trust))
      const off = { user: { enabled: false } }
      if (end === 'role') await keystone.manage('DELETE', keystone.grantPath(user, project, 'member'))
      else await keystone.manage('PATCH', `/users/${(end === 'trustor' ? user : trustee).id}`, off)
      const worth = await keystone.validate(lent)
      assert.ok(worth === 403 || worth === 404, `${end}: ${worth}`)
      const again = await keystone.login(trustLogin(trustee, trust))
      assert.ok(again.status === 401 || again.status === 403, `${end}: ${again.status}`)
    }
  })

  test('uses are counted, and the end is kept', async () => {
    const { token, trustee, body } = await lending()
    const expires_at = '2040-01-01T00:00:00.000000Z'
    const trust = await made(token, { ...body, remaining_uses: 2, expires_at })
    assert.deepEqual([trust.remaining_uses, trust.expires_at], [2, expires_at])
    await keystone.token(trustLogin(trustee, trust))
    const seen = await keystone.call('GET', `/OS-TRUST/trusts/${trust.id}`, { token })
    assert.equal(seen.json.trust.remaining_uses, 1)
    await keystone.login(trustLogin(trustee, trust))
    const third = await keystone.login(trustLogin(trustee, trust))
    assert.ok(third.status === 401 || third.status === 403, `${third.status}`)
  })
}
