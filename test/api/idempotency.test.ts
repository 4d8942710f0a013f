import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { ApiFixture, PASSWORD, problem } from './fixture.ts'

const PACKAGE_BYTES_MAX = 1024 ** 2
const fixture = await ApiFixture.open({ packageBytesMax: PACKAGE_BYTES_MAX })
after(() => fixture[Symbol.asyncDispose]())
const DAY_MS = 86_400_000
const withKey = (key: string, body?: unknown) => ({
  headers: { 'idempotency-key': key },
  ...(body !== undefined && { body }),
})

test('the same key answers the same again, and does nothing twice', async () => {
  const options = withKey('k-1', { name: 'first' })
  const one = await fixture.call('POST', '/v1/apps', fixture.member, options)
  const two = await fixture.call('POST', '/v1/apps', fixture.member, options)
  assert.equal(one.statusCode, 201)
  assert.equal(two.statusCode, 201)
  assert.equal(two.body, one.body)
  for (const name of ['etag', 'location', 'content-type'])
    assert.equal(two.headers[name], one.headers[name], name)
  assert.equal(one.headers['idempotency-replayed'], undefined)
  assert.equal(two.headers['idempotency-replayed'], 'true')
})

test('the answer is still known after a restart', async () => {
  const options = withKey('k-2', { name: 'second' })
  const one = await fixture.call('POST', '/v1/apps', fixture.member, options)
  await fixture.restart()
  const two = await fixture.call('POST', '/v1/apps', fixture.member, options)
  assert.equal(two.statusCode, 201)
  assert.equal(two.body, one.body)
})

test('one key for two requests is refused', async () => {
  await fixture.call('POST', '/v1/apps', fixture.member, withKey('k-3', { name: 'third' }))
  const other = await fixture.call('POST', '/v1/apps', fixture.member, withKey('k-3', { name: 'fourth' }))
  assert.match(problem(other, 409, 'CONFLICT').detail, /another request/)
})

test("another user's key is another key", async () => {
  await fixture.call('POST', '/v1/apps', fixture.member, withKey('k-4', { name: 'fifth' }))
  const other = await fixture.call('POST', '/v1/apps', fixture.stranger, withKey('k-4', { name: 'fifth' }))
  assert.equal(other.statusCode, 201)
  assert.equal(other.headers['idempotency-replayed'], undefined)
})

test('a credential with fewer roles does not get what its user was answered', async () => {
  const options = withKey('k-of-both', { name: 'delegated' })
  assert.equal((await fixture.call('POST', '/v1/apps', fixture.member, options)).statusCode, 201)
  const { directory } = fixture.control.identity
  const { session } = await directory.issue({
    proof: { method: 'password', user: { name: 'mia' }, password: PASSWORD },
    scope: { project: { name: 'default' } },
  })
  const { credential, secret } = await directory.createCredential(session, session.user.id, {
    name: 'dashboard',
    roles: ['reader'],
    description: undefined,
    secret: undefined,
    expiresAt: undefined,
    unrestricted: undefined,
    accessRules: undefined,
  })
  const { token } = await directory.issue({
    proof: { method: 'application_credential', credential: { id: credential.id }, secret },
    scope: undefined,
  })
  const less = { ...fixture.member, headers: { authorization: `Bearer ${token}` } }
  problem(await fixture.call('POST', '/v1/apps', less, options), 403, 'FORBIDDEN')
  const again = await fixture.call('POST', '/v1/apps', fixture.member, options)
  assert.equal(again.headers['idempotency-replayed'], 'true')
})

test('a failure is not kept: the key may be tried again', async () => {
  const { control } = fixture.control
  const original = control.createApp
  control.createApp = async () => {
    throw new Error('once')
  }
  const options = withKey('k-5', { name: 'sixth' })
  problem(await fixture.call('POST', '/v1/apps', fixture.member, options), 500, 'INTERNAL')
  control.createApp = original
  assert.equal((await fixture.call('POST', '/v1/apps', fixture.member, options)).statusCode, 201)
})

test('a second request while the first runs is told to wait', async () => {
  const { control } = fixture.control
  const original = control.createApp
  const running = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  control.createApp = async (by, input) => {
    running.resolve()
    await gate.promise
    return original(by, input)
  }
  const options = withKey('k-6', { name: 'seventh' })
  const first = fixture.call('POST', '/v1/apps', fixture.member, options)
  await running.promise
  const second = await fixture.call('POST', '/v1/apps', fixture.member, options)
  assert.match(problem(second, 409, 'CONFLICT').detail, /still running/)
  assert.equal(second.headers['retry-after'], '1')
  gate.resolve()
  assert.equal((await first).statusCode, 201)
  control.createApp = original
})

test('what an earlier process left running may be tried again', async () => {
  const { control } = fixture.control
  const original = control.createApp
  const running = Promise.withResolvers<void>()
  control.createApp = () => {
    running.resolve()
    return new Promise(() => {})
  }
  const options = withKey('k-7', { name: 'eighth' })
  void fixture.call('POST', '/v1/apps', fixture.member, options).catch(() => {})
  await running.promise
  control.createApp = original
  await fixture.restart()
  assert.equal((await fixture.call('POST', '/v1/apps', fixture.member, options)).statusCode, 201)
})

test('a key is forgotten after a day', async () => {
  const options = withKey('k-8', { name: 'ninth' })
  await fixture.call('POST', '/v1/apps', fixture.member, options)
  fixture.control.clock.advance(DAY_MS + 1)
  const login = await fixture.login('mia')
  problem(await fixture.call('POST', '/v1/apps', login, options), 409, 'CONFLICT') // it runs, and the app exists
})

test('a key of a strange form is refused', async () => {
  const login = await fixture.login('mia')
  const { errors } = problem(
    await fixture.call('POST', '/v1/apps', login, withKey('x'.repeat(201), { name: 'tenth' })),
    400,
    'INVALID_INPUT',
  )
  assert.equal(errors?.[0]?.pointer, 'idempotency-key')
})

test("a call's answer is repeated without calling again, whatever its status", async () => {
  const login = await fixture.login('mia')
  await fixture.deploy(login)
  let calls = 0
  fixture.invoker.functions.set('cart', async call => {
    calls++
    call.head(418, ['content-type', 'text/plain'])
    await call.send(Buffer.from(`call ${calls}`))
  })
  const path = '/v1/apps/shop/functions/cart/invoke'
  const one = await fixture.call('POST', path, login, withKey('k-9', { a: 1 }))
  const two = await fixture.call('POST', path, login, withKey('k-9', { a: 1 }))
  assert.deepEqual([one.statusCode, one.body], [418, 'call 1'])
  assert.deepEqual([two.statusCode, two.body], [418, 'call 1'])
  assert.equal(two.headers['atelier-invocation-id'], one.headers['atelier-invocation-id'])
  assert.equal(calls, 1)
})

test('a client that leaves finds out with its key what was done', async () => {
  const url = await fixture.listen()
  const login = await fixture.login('mia')
  const { control } = fixture.control
  const original = control.createApp
  const running = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  control.createApp = async (by, input) => {
    running.resolve()
    await gate.promise
    const app = await original(by, input)
    done.resolve()
    return app
  }
  const options = withKey('k-left', { name: 'left-behind' })
  const leaving = new AbortController()
  const first = fetch(`${url}/v1/apps`, {
    method: 'POST',
    headers: { ...login.headers, ...options.headers, 'content-type': 'application/json' },
    body: JSON.stringify(options.body),
    signal: leaving.signal,
  })
  await running.promise
  leaving.abort()
  await assert.rejects(first)
  problem(await fixture.call('POST', '/v1/apps', login, options), 409, 'CONFLICT')
  gate.resolve()
  await done.promise
  control.createApp = original
  const again = await eventually(() => fixture.call('POST', '/v1/apps', login, options))
  assert.equal(again.statusCode, 201)
  assert.equal(again.headers['idempotency-replayed'], 'true')
})

test('a deploy is repeated from memory when it succeeded, and run again when it failed', async () => {
  const login = await fixture.login('mia')
  const headers = { 'idempotency-key': 'k-10', accept: 'application/x-ndjson' }
  const failed = await fixture.deploy(login, { name: 'kept', code: 'syntax error', headers })
  assert.match(failed.body, /"kind":"error"/)
  const done = await fixture.deploy(login, { name: 'kept', code: 'fine', headers })
  assert.match(done.body, /"kind":"result"/)
  const again = await fixture.deploy(login, { name: 'kept', code: 'fine', headers })
  assert.equal(again.headers['idempotency-replayed'], 'true')
  assert.equal(again.body, done.body)
})

test('a deploy with the same key and the same package publishes one version, whatever separates its parts', async () => {
  const login = await fixture.login('mia')
  const options = {
    name: 'one',
    code: 'export default () => 11',
    settings: { config: { A: '1' } },
    headers: { 'idempotency-key': 'd-1' },
  }
  const one = await fixture.deploy(login, options)
  assert.equal(one.statusCode, 201)
  const two = await fixture.deploy(login, options)
  assert.deepEqual([two.statusCode, two.body], [201, one.body])
  assert.equal(two.headers['idempotency-replayed'], 'true')
  const versions = await fixture.call('GET', '/v1/apps/shop/functions/one/versions', login)
  assert.equal(versions.json<{ items: unknown[] }>().items.length, 1)
})

test('a deploy of something else with a used key is refused, and changes nothing', async () => {
  const login = await fixture.login('mia')
  const options = { name: 'else', code: 'export default () => 12', headers: { 'idempotency-key': 'd-2' } }
  assert.equal((await fixture.deploy(login, options)).statusCode, 201)
  for (const other of [
    { ...options, code: 'export default () => 13' },
    { ...options, settings: { config: { A: '2' } } },
    { ...options, fileName: 'other.js' },
    { ...options, code: null, settings: {} },
    { ...options, name: 'elsewhere' },
  ])
    assert.match(problem(await fixture.deploy(login, other), 409, 'CONFLICT').detail, /another request/)
  const versions = await fixture.call('GET', '/v1/apps/shop/functions/else/versions', login)
  assert.equal(versions.json<{ items: unknown[] }>().items.length, 1)
  problem(await fixture.call('GET', '/v1/apps/shop/functions/elsewhere', login), 404, 'NOT_FOUND')
  const again = await fixture.deploy(login, options)
  assert.equal(again.headers['idempotency-replayed'], 'true')
})

test('of deploys with one key at once, one builds and the others are told to wait', async () => {
  const login = await fixture.login('mia')
  const building = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let builds = 0
  fixture.control.builder.hold = () => {
    builds++
    building.resolve()
    return gate.promise
  }
  const options = {
    name: 'race',
    code: `// ${'x'.repeat(500_000)}`,
    headers: { 'idempotency-key': 'd-3' },
  }
  const first = fixture.deploy(login, options)
  await building.promise
  const others = await Promise.all([1, 2, 3].map(() => fixture.deploy(login, options)))
  for (const other of others) {
    assert.match(problem(other, 409, 'CONFLICT').detail, /still running/)
    assert.equal(other.headers['retry-after'], '1')
  }
  gate.resolve()
  const one = await first
  assert.equal(one.statusCode, 201)
  const after = await fixture.deploy(login, options)
  assert.deepEqual([after.statusCode, after.body], [201, one.body])
  assert.equal(builds, 1)
  fixture.control.builder.hold = async () => {}
})

test('after a deploy that failed, its key takes whatever comes next', async () => {
  const login = await fixture.login('mia')
  const headers = { 'idempotency-key': 'd-4' }
  problem(await fixture.deploy(login, { name: 'mended', code: 'syntax error', headers }), 422, 'BUILD_FAILED')
  const mended = await fixture.deploy(login, { name: 'mended', code: 'export default () => 14', headers })
  assert.equal(mended.statusCode, 201)
  problem(await fixture.deploy(login, { name: 'mended', code: 'syntax error', headers }), 409, 'CONFLICT')
})

test('a deploy is known by its key after a restart, and a package that grows too long is not read for it', async () => {
  const login = await fixture.login('mia')
  const options = { name: 'kept-on', code: 'export default () => 15', headers: { 'idempotency-key': 'd-5' } }
  const one = await fixture.deploy(login, options)
  await fixture.restart()
  assert.equal((await fixture.deploy(login, options)).body, one.body)
  const large = { ...options, code: 'x'.repeat(PACKAGE_BYTES_MAX + 1) }
  problem(await fixture.deploy(login, large), 413, 'BODY_TOO_LARGE')
})

/** The answer, once the request that was given up is done with. */
async function eventually(ask: () => Promise<LightMyRequestResponse>): Promise<LightMyRequestResponse> {
  for (;;) {
    const answer = await ask()
    if (!/still running/.test(answer.body)) return answer
    await new Promise(resolve => setImmediate(resolve))
  }
}
