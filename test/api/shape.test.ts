import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiFixture, type Login, problem } from './fixture.ts'

const fixture = await ApiFixture.open()
after(() => fixture[Symbol.asyncDispose]())

test('an unknown path is a problem that says where to look', async () => {
  assert.match(problem(await fixture.call('GET', '/v1/nothing'), 404, 'NOT_FOUND').detail, /\/docs/)
})

test('a known path with another method is 405 and lists what is allowed', async () => {
  const answer = await fixture.call('DELETE', '/v1/apps', fixture.member)
  problem(answer, 405, 'METHOD_NOT_ALLOWED')
  assert.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS, POST')
  const options = await fixture.call('OPTIONS', '/v1/apps/x')
  assert.equal(options.statusCode, 204)
  assert.equal(options.headers['allow'], 'DELETE, GET, HEAD, OPTIONS, PATCH')
})

test('HEAD answers like GET, without a body', async () => {
  const answer = await fixture.call('HEAD', '/v1/whoami', fixture.member)
  assert.equal(answer.statusCode, 200)
  assert.equal(answer.body, '')
  assert.ok(Number(answer.headers['content-length']) > 0)
})

test('every wrong field is named with its JSON pointer, and nothing is converted', async () => {
  const body = { name: 5, config: { 'a/b': 1 }, colour: 'red' }
  const { errors } = problem(
    await fixture.call('POST', '/v1/apps', fixture.member, { body }),
    400,
    'INVALID_INPUT',
  )
  assert.deepEqual(
    errors?.toSorted((a, b) => (a.pointer < b.pointer ? -1 : 1)),
    [
      { pointer: '/colour', detail: 'is not known here' },
      { pointer: '/config/a~1b', detail: 'must be of type string' },
      { pointer: '/name', detail: 'must be of type string' },
    ],
  )
})

test('query parameters are converted, and checked', async () => {
  assert.equal((await fixture.call('GET', '/v1/apps?limit=5', fixture.member)).statusCode, 200)
  const { errors } = problem(
    await fixture.call('GET', '/v1/apps?limit=0&colour=red', fixture.member),
    400,
    'INVALID_INPUT',
  )
  assert.deepEqual(errors?.map(each => each.pointer).sort(), ['colour', 'limit'])
})

test('a body that is no JSON, of another type or too large is refused', async () => {
  const send = (payload: string, type: string) =>
    fixture.api.inject({
      method: 'POST',
      url: '/v1/apps',
      headers: { ...fixture.member.headers, 'content-type': type },
      payload,
    })
  problem(await send('{"name":', 'application/json'), 400, 'INVALID_INPUT')
  problem(await send('', 'application/json'), 400, 'INVALID_INPUT')
  problem(await send('<a/>', 'application/xml'), 415, 'UNSUPPORTED_MEDIA_TYPE')
  problem(
    await send(JSON.stringify({ name: 'x'.repeat(1024 ** 2) }), 'application/json'),
    413,
    'BODY_TOO_LARGE',
  )
  problem(await send('{"__proto__":{"admin":true},"name":"x"}', 'application/json'), 400, 'INVALID_INPUT')
})

test('a path that cannot be decoded is a problem too', async () => {
  problem(await fixture.call('GET', '/v1/apps/%zz', fixture.member), 400, 'INVALID_INPUT')
})

test('answers carry a request id, and headers that keep browsers from guessing', async () => {
  const answer = await fixture.call('GET', '/v1/nothing')
  const id = String(answer.headers['atelier-request-id'])
  assert.match(id, /^[0-9a-z]{26}$/)
  assert.equal(answer.json<{ instance: string }>().instance, `urn:atelier:request:${id}`)
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
})

test('an error of ours tells nothing of its cause to the caller, and all of it to the log', async () => {
  const { control } = fixture.control
  const original = control.listApps
  control.listApps = async () => {
    throw new TypeError('secret detail of a library')
  }
  const answer = await fixture.call('GET', '/v1/apps?cursor=hidden', fixture.member)
  control.listApps = original
  problem(answer, 500, 'INTERNAL')
  assert.doesNotMatch(answer.body, /secret detail|TypeError|\.ts/)
  const line = fixture.logged.find(each => each.includes('secret detail of a library'))
  assert.ok(line)
  assert.doesNotMatch(line, /hidden/)
})

test('passwords, tokens and secret values are never logged', async () => {
  const token = fixture.member.headers.authorization.slice('Bearer '.length)
  await fixture.call('PUT', '/v1/secrets/api-key', fixture.member, { body: { value: 'very-secret-value' } })
  await fixture.call('POST', '/v1/tokens', undefined, { body: { user: 'mia', password: 'wrong-guess' } })
  await fixture.call('GET', `/v1/whoami?token=${token}`, fixture.member)
  const all = fixture.logged.join('\n')
  for (const secret of [token, 'very-secret-value', 'wrong-guess', 'correct horse'])
    assert.ok(!all.includes(secret))
})

test('liveness is always told, readiness with the reasons when there is none', async () => {
  assert.equal((await fixture.call('GET', '/healthz')).statusCode, 200)
  assert.deepEqual((await fixture.call('GET', '/readyz')).json(), { status: 'ready' })
  fixture.notReady = ['The router is not listening yet.']
  const answer = await fixture.call('GET', '/readyz')
  fixture.notReady = []
  assert.equal(answer.statusCode, 503)
  assert.deepEqual(answer.json(), { status: 'not ready', reasons: ['The router is not listening yet.'] })
})

test('metrics are Prometheus text', async () => {
  const answer = await fixture.call('GET', '/metrics')
  assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/)
  assert.match(answer.body, /^process_resident_memory_bytes \d/m)
})

test('from elsewhere, or through a proxy, metrics need an operator', async () => {
  const asks = (by?: Login) =>
    fixture.call('GET', '/metrics', by, { headers: { 'x-forwarded-for': '192.0.2.7' } })
  assert.equal((await asks()).statusCode, 401)
  assert.equal((await asks(fixture.member)).statusCode, 403)
  assert.equal((await asks(fixture.admin)).statusCode, 200)
})

test('the status shows the data path to operators only', async () => {
  const mine = (await fixture.call('GET', '/v1/status', fixture.member)).json<Record<string, unknown>>()
  assert.equal(mine['dataPath'], undefined)
  assert.deepEqual(mine['isolation'], { backend: 'fake', tier: 'none', notes: ['only a test'] })
  assert.deepEqual(
    (mine['environments'] as { name: string; ready: boolean }[]).map(each => [each.name, each.ready]),
    [
      ['nodejs', true],
      ['python', true],
    ],
  )
  const theirs = (await fixture.call('GET', '/v1/status', fixture.admin)).json<Record<string, unknown>>()
  assert.equal(theirs['dataPath'], '/somewhere/secret')
})
