import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { holderOf, SERVICES } from '../../src/identity/index.ts'
import { IdentityApiFixture } from '../identity-api/fixture.ts'

test('what follows a # in an address lets no credential past its access rules', async t => {
  const fixture = await IdentityApiFixture.open()
  t.after(() => fixture.dispose())
  const { identity } = fixture.control
  const { token: admin, principal } = await identity.login(fixture.admin)
  const by = await identity.directory.inspect(admin)
  const rule = { method: 'GET', path: '/v3/**/mine' }
  const { credential, secret } = await identity.directory.createCredential(by!, principal.userId, {
    name: 'narrow',
    description: undefined,
    secret: undefined,
    expiresAt: undefined,
    roles: undefined,
    unrestricted: undefined,
    accessRules: [
      { ...rule, service: SERVICES.identity },
      { ...rule, service: SERVICES.api },
    ],
  })
  const { token } = await identity.directory.issue({
    proof: { method: 'application_credential', credential: { id: credential.id }, secret },
    scope: undefined,
  })
  const ask = async (path: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    request(
      fixture.url + path,
      { path: `/identity/v3${path}`, headers: { 'x-auth-token': token } },
      answer => {
        answer.resume()
        resolve(answer.statusCode)
      },
    )
      .on('error', reject)
      .end()
    return promise
  }
  assert.equal(await ask('/users/mine'), 404, 'what a rule names is answered')
  for (const path of ['/users', '/users#/mine', '/users?/mine', '/users#x/mine'])
    assert.equal(await ask(path), 401, path)
  const told = (url: string) => holderOf(identity, token, SERVICES.api, { method: 'GET', url, headers: {} })
  assert.equal((await told('/v3/a/mine#/b')).userId, principal.userId)
  await assert.rejects(told('/v3/a#/mine'), { code: 'UNAUTHENTICATED' })
})
