import assert from 'node:assert/strict'
import { get } from 'node:http'
import { type TestContext, test } from 'node:test'
import { SignJWT } from 'jose'
import { AtelierError } from '../../../src/core/index.ts'
import { ironfunctions } from '../../../src/dialects/ironfunctions/dialect.ts'
import { DialectFixture } from '../../support/dialects.ts'

async function open(t: TestContext, project = 'blue', jwtKey = ''): Promise<DialectFixture> {
  const at = await DialectFixture.open(ironfunctions, { openProject: project, ironfunctions: { jwtKey } })
  t.after(() => at.dispose())
  await at.fixture.member('blue')
  return at
}

/** Of a path as it is: `fetch` would make another of it. */
async function statusOf(url: string, path: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  get(url, { path }, answer => resolve(answer.resume().statusCode)).on('error', reject)
  return promise
}

const ROUTE = { path: '/hello', image: 'iron/hello' }
const WHOLE = {
  app_name: 'demo',
  path: '/hello',
  image: 'iron/hello',
  memory: 128,
  headers: {},
  type: 'sync',
  format: 'default',
  max_concurrency: 1,
  timeout: 30,
  idle_timeout: 0,
  config: {},
  jwt_key: '',
}

test('apps are made, listed, shown, changed and deleted', async t => {
  const at = await open(t)
  const made = await at.ask('POST', '/v1/apps', {
    body: { app: { name: 'demo', config: { A: '1', B: '2' } } },
  })
  assert.deepEqual(
    [made.status, made.json],
    [200, { message: 'App successfully created', app: { name: 'demo', config: { A: '1', B: '2' } } }],
  )
  assert.ok(made.text.endsWith('}\n'))
  await at.ask('POST', '/v1/apps', { body: { app: { name: 'bare' } } })
  assert.deepEqual((await at.ask('GET', '/v1/apps')).json, {
    message: 'Successfully listed applications',
    apps: [
      { name: 'bare', config: null },
      { name: 'demo', config: { A: '1', B: '2' } },
    ],
  })
  const changed = await at.ask('PATCH', '/v1/apps/demo', { body: { app: { config: { B: '', C: '3' } } } })
  assert.deepEqual(changed.json, {
    message: 'App successfully updated',
    app: { name: 'demo', config: { A: '1', C: '3' } },
  })
  assert.deepEqual((await at.ask('GET', '/v1/apps/demo')).json.app.config, { A: '1', C: '3' })
  assert.deepEqual((await at.ask('DELETE', '/v1/apps/demo')).json, { message: 'App deleted' })
  assert.equal((await at.ask('GET', '/v1/apps/demo')).json.error.message, 'App not found')
})

test('routes are made, listed, shown, changed and deleted, and make their app', async t => {
  const at = await open(t)
  const made = await at.ask('POST', '/v1/apps/demo/routes', { body: { route: ROUTE } })
  assert.deepEqual([made.status, made.json], [200, { message: 'Route successfully created', route: WHOLE }])
  await at.ask('POST', '/v1/apps/demo/routes', {
    body: { route: { path: '/a/b', image: 'x/y', format: 'http' } },
  })
  const list = await at.ask('GET', '/v1/apps/demo/routes')
  assert.equal(list.json.message, 'Sucessfully listed routes')
  assert.deepEqual(
    list.json.routes.map((each: { path: string }) => each.path),
    ['/hello', '/a/b'],
  )
  assert.equal((await at.ask('GET', '/v1/apps/demo/routes?image=x/y')).json.routes.length, 1)
  assert.deepEqual((await at.ask('GET', '/v1/apps/none/routes')).json.routes, [])
  assert.equal((await at.ask('GET', '/v1/routes')).json.routes.length, 2)

  const change = { memory: 64, timeout: 0, config: { K: 'v' }, headers: { 'X-A': ['1'] } }
  await at.ask('PATCH', '/v1/apps/demo/routes/hello', { body: { route: change } })
  const changed = await at.ask('PATCH', '/v1/apps/demo/routes//hello/', {
    body: { route: { headers: { 'X-A': ['2'] } } },
  })
  assert.deepEqual(changed.json, {
    message: 'Route successfully updated',
    route: { ...WHOLE, memory: 64, config: { K: 'v' }, headers: { 'X-A': ['1', '2'] } },
  })
  const full = await at.ask('DELETE', '/v1/apps/demo')
  assert.deepEqual([full.status, full.json.error.message], [400, 'Cannot remove apps with routes'])
  assert.deepEqual((await at.ask('DELETE', '/v1/apps/demo/routes/hello')).json, { message: 'Route deleted' })
  assert.equal((await at.ask('GET', '/v1/apps/demo/routes/hello')).json.error.message, 'Route not found')
})

test('what cannot be is refused with the words that clients know', async t => {
  const at = await open(t)
  await at.ask('POST', '/v1/apps/demo/routes', { body: { route: ROUTE } })
  const twice = 'validation failure list:\nvalidation failure list:\n'
  const cases: [string, string, unknown, number, string][] = [
    ['POST', '/v1/apps', '{', 400, 'Invalid JSON'],
    ['POST', '/v1/apps', {}, 400, 'Missing new application'],
    ['POST', '/v1/apps', { app: {} }, 400, 'validation failure list:\nMissing app name'],
    ['POST', '/v1/apps', { app: { name: 'a b' } }, 400, 'validation failure list:\nInvalid app name'],
    [
      'POST',
      '/v1/apps',
      { app: { name: 'a'.repeat(31) } },
      400,
      'validation failure list:\nApp name must be 30 characters or less',
    ],
    ['POST', '/v1/apps', { app: { name: 'demo' } }, 409, 'App already exists'],
    ['PATCH', '/v1/apps/demo', { app: { name: 'x' } }, 400, 'Could not update app - name is immutable'],
    ['POST', '/v1/apps/demo/routes', {}, 400, 'Missing new route'],
    ['POST', '/v1/apps/demo/routes', { route: {} }, 400, `${twice}Missing route Image\nMissing route Path`],
    ['POST', '/v1/apps/demo/routes', { route: { ...ROUTE, path: 'x' } }, 400, `${twice}Invalid Path format`],
    [
      'POST',
      '/v1/apps/demo/routes',
      { route: { ...ROUTE, format: 'json' } },
      400,
      `${twice}Invalid route Format`,
    ],
    ['POST', '/v1/apps/demo/routes', { route: { ...ROUTE, memory: -1 } }, 400, 'Invalid JSON'],
    ['POST', '/v1/apps/demo/routes', { route: { ...ROUTE, config: { A: 1 } } }, 400, 'Invalid JSON'],
    ['POST', '/v1/apps/demo/routes', { route: ROUTE }, 409, 'Route already exists'],
    [
      'PATCH',
      '/v1/apps/demo/routes/hello',
      { route: { path: '/x' } },
      400,
      'Could not update route - path is immutable',
    ],
    ['GET', '/r/none/x', undefined, 404, 'App not found'],
    ['GET', '/r/demo/x', undefined, 404, 'Route not found on that application'],
    ['GET', '/r/demo', undefined, 404, 'Route not found on that application'],
  ]
  for (const [method, path, body, status, message] of cases) {
    const answer = await at.ask(method, path, body === undefined ? {} : { body })
    assert.deepEqual([answer.status, answer.json?.error.message], [status, message], `${method} ${path}`)
  }
  const unknown = await at.ask('PUT', '/v1/apps')
  assert.deepEqual([unknown.status, unknown.text], [404, '"Not Found"\n'])
  const slash = await at.ask('GET', '/v1/apps/?a=b')
  assert.deepEqual([slash.status, slash.headers.get('location')], [301, '/v1/apps?a=b'])
  for (const elsewhere of ['//elsewhere.test/', '/\\elsewhere.test/'])
    assert.equal(await statusOf(at.url, elsewhere), 404, elsewhere)
})

test('a route runs with any method and answers with its bytes', async t => {
  const at = await open(t)
  const headers = { 'Content-Type': ['text/x-hello'], 'X-Two': ['a', 'b'] }
  await at.ask('POST', '/v1/apps/demo/routes', { body: { route: { ...ROUTE, headers } } })
  const posted = await at.ask('POST', '/r/demo/hello?q=1', {
    body: 'raw',
    headers: { 'content-type': 'text/plain', 'x-service-token': 'not for the function' },
  })
  assert.ok(!at.calls[0]!.headers.includes('x-service-token'))
  assert.deepEqual([posted.status, posted.text], [200, 'Hello World!\n'])
  assert.deepEqual([posted.headers.get('content-type'), posted.headers.get('x-two')], ['text/x-hello', 'a'])
  await at.ask('GET', '/r/demo/hello?payload=abc')
  assert.deepEqual(
    at.calls.map(each => [each.method, each.path, Buffer.from(each.body!).toString()]),
    [
      ['POST', '/hello?q=1', 'raw'],
      ['GET', '/hello?payload=abc', ''],
    ],
  )
  assert.deepEqual((await at.ask('GET', '/stats')).json, { Queue: 0, Running: 0, Complete: 2 })

  at.behaviour = () => ({ status: 500, body: '{"request_id":"1","error":{"message":"exit code 3"}}' })
  const failed = await at.ask('GET', '/r/demo/hello')
  assert.deepEqual([failed.status, failed.json.error], [500, { message: 'exit code 3' }])
  assert.equal(failed.headers.get('x-two'), 'a')
  assert.match(failed.json.request_id, /^[0-9a-z]{26}$/)
  at.behaviour = () => {
    throw new AtelierError('FUNCTION_OUT_OF_MEMORY', 'Too much.')
  }
  assert.equal((await at.ask('GET', '/r/demo/hello')).json.error.message, 'out of memory error')
})

test('headers of a route that would be others in an answer are refused', async t => {
  const at = await open(t)
  await at.ask('POST', '/v1/apps/demo/routes', { body: { route: ROUTE } })
  for (const headers of [
    { 'X-A\r\nSet-Cookie': ['a=b'] },
    { 'X-A': ['good', 'b\r\nSet-Cookie: a=b'] },
    { '': ['a'] },
    { 'X A': ['a'] },
    { 'X-A': ['\0'] },
    { 'X-A': ['\u2028'] },
  ]) {
    const made = await at.ask('POST', '/v1/apps/demo/routes', {
      body: { route: { ...ROUTE, path: '/b', headers } },
    })
    const changed = await at.ask('PATCH', '/v1/apps/demo/routes/hello', { body: { route: { headers } } })
    for (const { status, json } of [made, changed])
      assert.deepEqual([status, json.error.message], [400, 'Invalid JSON'], JSON.stringify(headers))
  }
  assert.equal((await at.ask('GET', '/r/demo/hello')).status, 200)
})

test('an asynchronous route answers 202 with the id of its call', async t => {
  const at = await open(t)
  await at.ask('POST', '/v1/apps/demo/routes', { body: { route: { ...ROUTE, type: 'async' } } })
  const answer = await at.ask('POST', '/r/demo/hello', { body: 'x' })
  assert.equal(answer.status, 202)
  assert.match(answer.json.call_id, /^[0-9a-z]{26}$/)
  assert.equal(at.accepted.length, 1)
})

test('a route with a key takes signed tokens alone, and its function never sees them', async t => {
  const at = await open(t)
  await at.ask('POST', '/v1/apps/demo/routes', {
    body: { route: { ...ROUTE, jwt_key: 'secret-of-the-route' } },
  })
  assert.equal((await at.ask('GET', '/v1/apps/demo/routes/hello')).json.route.jwt_key, 'secret-of-the-route')
  const signed = (key: string, expires: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(key))
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`
  const bad = ['x', unsigned, await signed('another', '1h'), await signed('secret-of-the-route', '-1h')]
  for (const token of [undefined, ...bad]) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await at.ask('GET', '/r/demo/hello', { headers })
    assert.deepEqual([answer.status, answer.headers.get('www-authenticate')], [401, 'Bearer realm=""'], token)
  }
  assert.equal(at.calls.length, 0)
  const headers = { authorization: `Bearer ${await signed('secret-of-the-route', '1h')}` }
  assert.equal((await at.ask('GET', '/r/demo/hello', { headers })).status, 200)
  assert.ok(!at.calls[0]!.headers.includes('authorization'))
})

test('the key of a route is told to who may set another, and to no reader', async t => {
  const at = await open(t)
  const { token } = await at.login('blue')
  await at.ask('POST', '/v1/apps/demo/routes', { token, body: { route: { ...ROUTE, jwt_key: 'k' } } })
  const reader = (await at.login('blue', 'reader')).token
  for (const [who, key] of [
    [token, 'k'],
    [reader, ''],
  ] as const) {
    const shown = await at.ask('GET', '/v1/apps/demo/routes/hello', { token: who })
    const listed = await at.ask('GET', '/v1/apps/demo/routes', { token: who })
    assert.deepEqual([shown.json.route.jwt_key, listed.json.routes[0].jwt_key], [key, key])
  }
})

test('a route whose function was closed past IronFunctions is not there for callers', async t => {
  const at = await open(t)
  await at.ask('POST', '/v1/apps/demo/routes', { body: { route: ROUTE } })
  assert.equal((await at.ask('GET', '/r/demo/hello')).status, 200)
  const blue = await at.fixture.member('blue')
  await at.fixture.control.updateFunction(blue, 'demo', 'hello', { access: 'private' })
  assert.equal((await at.ask('GET', '/r/demo/hello')).status, 404)
})

test('without a project for everybody, managing needs a token, and reaches its project alone', async t => {
  const at = await open(t, '')
  const { token } = await at.login('blue')
  const other = (await at.login('red')).token
  for (const path of ['/v1/apps', '/v1/routes', '/v1/apps/demo/routes/x'])
    assert.equal((await at.ask('GET', path)).status, 401, path)
  assert.equal((await at.ask('GET', '/v1/apps', { token: 'forged' })).status, 401)
  await at.ask('POST', '/v1/apps/demo/routes', { token, body: { route: ROUTE } })
  assert.equal((await at.ask('GET', '/v1/apps/demo', { token })).status, 200)
  for (const method of ['GET', 'DELETE'])
    for (const path of ['/v1/apps/demo', '/v1/apps/demo/routes/hello'])
      assert.equal((await at.ask(method, path, { token: other })).status, 404, `${method} ${path}`)
  assert.deepEqual((await at.ask('GET', '/v1/apps/demo/routes', { token: other })).json.routes, [])
  const taken = await at.ask('POST', '/v1/apps/demo/routes', {
    token: other,
    body: { route: { ...ROUTE, path: '/b' } },
  })
  assert.equal(taken.status, 409)
  assert.equal((await at.ask('GET', '/r/demo/hello')).status, 200)
})

test('with a key of the service, managing needs its signature, and calling does not', async t => {
  const at = await open(t, 'blue', 'secret-of-the-service')
  for (const headers of [{}, { 'x-auth-token': '' }, { authorization: 'Bearer forged' }]) {
    const refused = await at.ask('GET', '/v1/apps', { headers })
    assert.deepEqual([refused.status, refused.json], [401, { error: 'Invalid API Authorization token.' }])
  }
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode('secret-of-the-service'))
  const headers = { authorization: `Bearer ${token}` }
  assert.equal((await at.ask('GET', '/v1/apps', { headers })).status, 200)
  assert.equal((await at.ask('GET', '/r/none/x')).status, 404)
})
