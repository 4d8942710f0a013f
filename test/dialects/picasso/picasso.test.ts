import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AtelierError } from '../../../src/core/index.ts'
import { picasso } from '../../../src/dialects/picasso/dialect.ts'
import { DialectFixture } from '../../support/dialects.ts'

interface Place {
  readonly at: DialectFixture
  readonly token: string
  readonly project: string
  /** `/v1/{project}` */
  readonly base: string
}

async function open(t: TestContext): Promise<Place> {
  const at = await DialectFixture.open(picasso)
  t.after(() => at.dispose())
  const { token, principal } = await at.login('blue')
  return { at, token, project: principal.projectId, base: `/v1/${principal.projectId}` }
}

const ROUTE = { type: 'sync', path: '/hello', image: 'iron/hello', is_public: 'false' }

async function appIn({ at, token, base }: Place, name = 'demo'): Promise<string> {
  const { status, json } = await at.ask('POST', `${base}/apps`, {
    token,
    body: { app: { name, config: {} } },
  })
  assert.equal(status, 200, JSON.stringify(json))
  return json.app.name
}

async function routeIn({ at, token, base }: Place, app: string, route: object = ROUTE): Promise<void> {
  const { status, json } = await at.ask('POST', `${base}/apps/${app}/routes`, { token, body: { route } })
  assert.equal(status, 200, JSON.stringify(json))
}

test('an app is made, shown, listed, changed and deleted', async t => {
  const place = await open(t)
  const { at, token, base, project } = place
  const made = await at.ask('POST', `${base}/apps`, { token, body: { app: { name: 'demo', config: {} } } })
  assert.equal(made.status, 200)
  assert.equal(made.headers.get('content-type'), 'application/json; charset=utf-8')
  assert.equal(made.json.message, 'App successfully created')
  const { app } = made.json
  assert.equal(app.name, `demo-${project}`.slice(0, 30))
  assert.match(app.id, /^[0-9a-f]{32}$/)
  assert.match(app.created_at, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/)
  assert.deepEqual(
    { config: app.config, description: app.description, project: app.project_id },
    { config: null, description: `App for project ${project}`, project },
  )

  const shown = await at.ask('GET', `${base}/apps/${app.name}`, { token })
  assert.deepEqual(shown.json, { app, message: 'Successfully loaded app' })
  const list = await at.ask('GET', `${base}/apps`, { token })
  assert.deepEqual(list.json, { apps: [app], message: 'Successfully listed applications' })

  for (const body of [{ config: { A: '1', B: '2' } }, { app: { config: { B: '', C: '3' } } }])
    assert.equal((await at.ask('PUT', `${base}/apps/${app.name}`, { token, body })).status, 200)
  const changed = await at.ask('GET', `${base}/apps/${app.name}`, { token })
  assert.deepEqual(changed.json.app.config, { A: '1', C: '3' })
  const renamed = await at.ask('PUT', `${base}/apps/${app.name}`, { token, body: { name: 'x' } })
  assert.equal(renamed.status, 400)
  assert.equal(renamed.json.error.message, 'Could not update app - name is immutable')

  const gone = await at.ask('DELETE', `${base}/apps/${app.name}`, { token })
  assert.deepEqual([gone.status, gone.json], [200, { message: 'App successfully deleted' }])
  assert.equal((await at.ask('GET', `${base}/apps/${app.name}`, { token })).status, 404)
})

test('what cannot be is refused with the words that clients know', async t => {
  const place = await open(t)
  const { at, token, base } = place
  const app = await appIn(place)
  const cases: [string, string, unknown, number, RegExp][] = [
    ['GET', '/apps/unknown', undefined, 404, /^App unknown not found$/],
    ['DELETE', '/apps/unknown', undefined, 404, /^App unknown not found$/],
    ['POST', '/apps', { app: { name: 'demo' } }, 409, new RegExp(`^App ${app} already exists$`)],
    ['POST', '/apps', { app: { name: 'a b' } }, 400, /^validation failure list:\nInvalid app name$/],
    ['POST', '/apps', { app: {} }, 400, /"name"/],
    ['POST', '/apps', { name: 'x' }, 400, /"app"/],
    ['POST', '/apps', '', 400, /JSON/],
    ['POST', '/apps', '[1', 400, /JSON/],
    ['GET', '/apps/unknown/routes', undefined, 404, /not found/],
    ['GET', `/apps/${app}/routes/none`, undefined, 404, /^Route not found$/],
    ['DELETE', `/apps/${app}/routes/none`, undefined, 404, /not found/],
    ['POST', `/apps/${app}/routes`, { route: { path: '/x' } }, 400, /Missing route Image/],
    ['POST', `/apps/${app}/routes`, { route: { ...ROUTE, is_public: 'maybe' } }, 400, /is_public/],
    ['POST', `/apps/${app}/routes`, { route: { ...ROUTE, timeout: -1 } }, 400, /Negative timeout/],
    ['POST', `/apps/${app}/routes`, { route: { ...ROUTE, type: 'later' } }, 400, /Invalid route Type/],
    ['POST', `/apps/${app}/routes`, { route: { ...ROUTE, path: '/a:b' } }, 400, /Dynamic URL/],
    ['POST', `/apps/${app}/routes`, { route: { ...ROUTE, image: 'missing/x' } }, 422, /could not be pulled/],
  ]
  for (const [method, path, body, status, message] of cases) {
    const answer = await at.ask(method, base + path, { token, ...(body !== undefined && { body }) })
    assert.equal(answer.status, status, `${method} ${path} ${answer.text}`)
    assert.match(answer.json.error.message, message)
  }
  assert.deepEqual((await at.ask('GET', `${base}/apps/${app}/routes`, { token })).json.routes, [])
})

test('a route is made, shown, listed, changed and deleted, and no other with it', async t => {
  const place = await open(t)
  const { at, token, base } = place
  const app = await appIn(place)
  const routes = `${base}/apps/${app}/routes`
  const made = await at.ask('POST', routes, { token, body: { route: ROUTE } })
  assert.equal(made.json.message, 'App route successfully created')
  const view = {
    path: '/hello',
    type: 'sync',
    image: 'iron/hello',
    is_public: false,
    memory: 128,
    timeout: 30,
    max_concurrency: 1,
  }
  assert.deepEqual(made.json.route, view)
  const again = await at.ask('POST', routes, { token, body: { route: ROUTE } })
  assert.deepEqual([again.status, again.json.error.message], [409, `App ${app} route /hello already exist`])

  await routeIn(place, app, { ...ROUTE, path: '/deep/er', is_public: true })
  const deep = await at.ask('GET', `${routes}/deep/er`, { token })
  assert.deepEqual(deep.json, {
    route: { ...view, path: '/deep/er', is_public: true },
    message: 'App route successfully loaded',
  })
  const list = await at.ask('GET', routes, { token })
  assert.deepEqual(list.json.routes.map((each: { path: string }) => each.path).sort(), ['/deep/er', '/hello'])

  const flat = await at.ask('PUT', `${routes}/hello`, { token, body: { type: 'async', memory: 64 } })
  assert.deepEqual([flat.json.route.type, flat.json.route.memory], ['async', 64])
  const wrapped = await at.ask('PUT', `${routes}/hello`, {
    token,
    body: { route: { is_public: 'true', timeout: 5 } },
  })
  assert.equal(wrapped.json.message, 'Route successfully updated')
  assert.deepEqual([wrapped.json.route.is_public, wrapped.json.route.timeout], [true, 5])
  const moved = await at.ask('PUT', `${routes}/hello`, { token, body: { path: '/x' } })
  assert.equal(moved.json.error.message, 'Could not update route - path is immutable')

  const full = await at.ask('DELETE', `${base}/apps/${app}`, { token })
  assert.deepEqual([full.status, full.json.error.message], [403, `Unable to delete app ${app} with routes`])
  const gone = await at.ask('DELETE', `${routes}/hello`, { token })
  assert.deepEqual([gone.status, gone.json], [200, { message: 'Route successfully deleted' }])
  assert.equal((await at.ask('GET', `${routes}/deep/er`, { token })).status, 200)
  assert.equal((await at.ask('POST', `/r/${app}/deep/er`)).status, 200)
})

test('private and public routes run, with JSON as Python writes it', async t => {
  const place = await open(t)
  const { at, token, project } = place
  const app = await appIn(place)
  await routeIn(place, app)
  await routeIn(place, app, { ...ROUTE, path: '/open', is_public: 'true' })
  const one = await at.ask('POST', `/v1/r/${project}/${app}/hello`, {
    token,
    body: '{"a":1,"b":[1.0,"ü, :"]}',
  })
  assert.deepEqual(one.json, {
    result: 'Hello World!\n',
    message: `App ${app} sync route /hello execution finished`,
  })
  assert.match(one.headers.get('atelier-invocation-id') ?? '', /^[0-9a-z]{26}$/)
  assert.equal(Buffer.from(at.calls[0]!.body!).toString(), '{"a": 1, "b": [1.0, "\\u00fc, :"]}')
  assert.ok(!at.calls[0]!.headers.includes('x-auth-token'))

  for (const body of [undefined, 'no json'])
    await at.ask('POST', `/r/${app}/open`, body === undefined ? {} : { body })
  assert.deepEqual(
    at.calls.slice(1).map(each => Buffer.from(each.body!).toString()),
    ['{}', '{}'],
  )
  assert.equal((await at.ask('POST', `/v1/r/${project}/${app}/open`, { token, body: {} })).status, 200)

  const hidden = await at.ask('POST', `/r/${app}/hello`, { body: {} })
  assert.deepEqual(
    [hidden.status, hidden.json.error.message],
    [403, 'Unable to execute private route /hello'],
  )
  const none = await at.ask('POST', `/r/${app}/none`, { body: {} })
  assert.deepEqual([none.status, none.json.error.message], [404, 'Route /none not found'])
  const typed = await at.ask('POST', `/r/${app}/open`, {
    body: 'x',
    headers: { 'content-type': 'text/plain' },
  })
  assert.deepEqual([typed.status, typed.json.error.message], [400, 'Invalid content type'])
})

test('an asynchronous route answers an empty object once the call is durable', async t => {
  const place = await open(t)
  const { at, token, project } = place
  const app = await appIn(place)
  await routeIn(place, app, { ...ROUTE, type: 'async' })
  const answer = await at.ask('POST', `/v1/r/${project}/${app}/hello`, { token, body: { a: 1 } })
  assert.deepEqual([answer.status, answer.json], [200, {}])
  assert.ok(answer.headers.get('atelier-invocation-id'))
  assert.equal(at.accepted.length, 1)
  assert.equal(Buffer.from(at.accepted[0]!.body!).toString(), '{"a": 1}')
})

test('a function that fails is told with the engine’s status and message', async t => {
  const place = await open(t)
  const { at, token, project } = place
  const app = await appIn(place)
  await routeIn(place, app)
  const run = () => at.ask('POST', `/v1/r/${project}/${app}/hello`, { token, body: {} })
  at.behaviour = () => ({ status: 500, body: '{"request_id":"1","error":{"message":"exit code 3"}}' })
  assert.deepEqual([(await run()).status, (await run()).json], [500, { error: { message: 'exit code 3' } }])
  at.behaviour = () => {
    throw new AtelierError('FUNCTION_TIMEOUT', 'Late.')
  }
  assert.deepEqual([(await run()).status, (await run()).json], [504, { error: { message: 'Timed out' } }])
})

test('below /v1 nothing answers without a token of the project', async t => {
  const place = await open(t)
  const { at, token, project, base } = place
  const app = await appIn(place)
  await routeIn(place, app)
  const other = (await at.login('red')).token
  const reader = (await at.login('blue', 'reader')).token
  const message = 'Not authorized. Reason: The request you have made requires authentication. (HTTP 401)'
  const paths = [
    '/v1/nothing',
    `${base}/apps`,
    `${base}/apps/${app}`,
    `/v1/r/${project}/${app}/hello`,
    `${base}/apps/`,
  ]
  for (const path of paths)
    for (const bad of [undefined, 'forged', '', other])
      for (const method of ['GET', 'POST', 'PATCH']) {
        if (path === '/v1/nothing' && bad === other) continue
        const answer = await at.ask(method, path, bad === undefined ? {} : { token: bad })
        assert.deepEqual(
          [answer.status, answer.json],
          [401, { error: { message } }],
          `${method} ${path} ${bad}`,
        )
      }
  const unknown = await at.ask('GET', '/v1/nothing', { token })
  assert.deepEqual([unknown.status, unknown.text], [404, '404: Not Found'])
  const wrong = await at.ask('PATCH', `${base}/apps`, { token })
  assert.deepEqual(
    [wrong.status, wrong.text, wrong.headers.get('allow')],
    [405, '405: Method Not Allowed', 'GET,POST'],
  )
  assert.equal((await at.ask('GET', '/elsewhere')).text, '404: Not Found')
  assert.equal((await at.ask('GET', `${base}/apps`, { token: reader })).status, 200)
  assert.equal((await at.ask('DELETE', `${base}/apps/${app}/routes/hello`, { token: reader })).status, 403)
})

test('another project has the same path with its own token alone', async t => {
  const place = await open(t)
  const { at } = place
  const app = await appIn(place)
  const red = await at.login('red')
  const theirs = `/v1/${red.principal.projectId}/apps/${app}`
  assert.equal((await at.ask('GET', theirs, { token: red.token })).status, 404)
  assert.equal((await at.ask('DELETE', theirs, { token: red.token })).status, 404)
  assert.equal(
    (await at.ask('POST', `${theirs}/routes`, { token: red.token, body: { route: ROUTE } })).status,
    404,
  )
})

test('names and paths that mean something to others are only names here', async t => {
  const place = await open(t)
  const { at, token, base } = place
  for (const name of ["x' OR '1'='1", 'a"b', 'a\r\nX: y', '../x', '%00', 'a;b', '<b>']) {
    const answer = await at.ask('POST', `${base}/apps`, { token, body: { app: { name } } })
    assert.equal(answer.status, 400, name)
    const shown = await at.ask('GET', `${base}/apps/${encodeURIComponent(name)}`, { token })
    assert.equal(shown.status, 404, name)
  }
  const app = await appIn(place, '_-')
  for (const path of ["/a'b", '/ä', '/a%20b', '/%2e%2e', '/a=b;c'])
    await routeIn(place, app, { ...ROUTE, path, is_public: true })
  assert.equal((await at.ask('GET', `${base}/apps/${app}/routes`, { token })).json.routes.length, 5)
  assert.equal((await at.ask('POST', `/r/${app}/a'b`)).status, 200)
  assert.equal((await at.ask('POST', `/r/${app}/${encodeURIComponent('ä')}`)).status, 200)
})

test('the document and its page are there', async t => {
  const { at } = await open(t)
  const { json } = await at.ask('GET', '/api/swagger.json')
  assert.equal(json.swagger, '2.0')
  assert.deepEqual(Object.keys(json.paths), [
    '/v1/{project_id}/apps',
    '/v1/{project_id}/apps/{app}',
    '/v1/{project_id}/apps/{app}/routes',
    '/v1/{project_id}/apps/{app}/routes/{route}',
    '/v1/r/{project_id}/{app}/{route}',
    '/r/{app}/{route}',
  ])
  for (const path of ['/api', '/api/']) {
    const answer = await fetch(at.url + path)
    assert.match(answer.headers.get('content-type') ?? '', /html/, path)
    assert.match(await answer.text(), /swagger/i)
  }
})
