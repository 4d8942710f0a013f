import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AtelierError } from '../../../src/core/index.ts'
import { fn } from '../../../src/dialects/fn/dialect.ts'
import { DialectFixture } from '../../support/dialects.ts'

const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/

async function open(t: TestContext, openProject = 'blue'): Promise<DialectFixture> {
  const at = await DialectFixture.open(fn, { openProject })
  t.after(() => at.dispose())
  await at.fixture.member('blue')
  return at
}

interface Made {
  readonly app: string
  readonly fn: string
}

async function make(at: DialectFixture, token?: string): Promise<Made> {
  const say = { ...(token !== undefined && { token }) }
  const app = await at.ask('POST', '/v2/apps', { ...say, body: { name: 'shop' } })
  assert.equal(app.status, 200, app.text)
  const made = await at.ask('POST', '/v2/fns', {
    ...say,
    body: { name: 'hello', app_id: app.json.id, image: 'fnproject/hello:0.0.1' },
  })
  assert.equal(made.status, 200, made.text)
  return { app: app.json.id, fn: made.json.id }
}

test('apps are made, shown, listed page by page, changed and deleted with all that is theirs', async t => {
  const at = await open(t)
  const made = await at.ask('POST', '/v2/apps', {
    body: { name: 'shop', config: { A: '1', B: '2' }, annotations: { 'acme.com/x': [1] } },
  })
  assert.equal(made.status, 200)
  assert.match(made.json.id, ID)
  assert.match(made.json.created_at, /^\d{4}-\d\d-\d\dT.*Z$/)
  assert.deepEqual(made.json.annotations, { 'acme.com/x': [1] })
  const changed = await at.ask('PUT', `/v2/apps/${made.json.id}`, {
    body: { name: 'shop', config: { A: '', C: '3' }, syslog_url: 'tcp://logs:1' },
  })
  assert.deepEqual([changed.json.config, changed.json.syslog_url], [{ B: '2', C: '3' }, 'tcp://logs:1'])
  assert.deepEqual((await at.ask('GET', `/v2/apps/${made.json.id}`)).json, changed.json)

  for (const name of ['b', 'a', 'c']) await at.ask('POST', '/v2/apps', { body: { name } })
  const first = await at.ask('GET', '/v2/apps?per_page=3')
  const second = await at.ask('GET', `/v2/apps?per_page=3&cursor=${first.json.next_cursor}`)
  const names = [...first.json.items, ...second.json.items].map((each: { name: string }) => each.name)
  assert.deepEqual(names, ['a', 'b', 'c', 'shop'])
  assert.equal(second.json.next_cursor, undefined)
  assert.equal((await at.ask('GET', '/v2/apps?name=shop')).json.items.length, 1)

  const fnMade = await at.ask('POST', '/v2/fns', { body: { name: 'f', app_id: made.json.id, image: 'x/y' } })
  const gone = await at.ask('DELETE', `/v2/apps/${made.json.id}`)
  assert.deepEqual([gone.status, gone.text], [204, ''])
  for (const path of [`/v2/apps/${made.json.id}`, `/v2/fns/${fnMade.json.id}`])
    assert.equal((await at.ask('GET', path)).status, 404)
  assert.equal((await at.ask('POST', `/invoke/${fnMade.json.id}`)).status, 404)
})

test('functions and triggers are made, shown, listed, changed and deleted', async t => {
  const at = await open(t)
  const ids = await make(at)
  const shown = await at.ask('GET', `/v2/fns/${ids.fn}`)
  assert.match(shown.json.id, ID)
  assert.deepEqual(
    { ...shown.json, id: '', created_at: '', updated_at: '' },
    {
      id: '',
      name: 'hello',
      app_id: ids.app,
      image: 'fnproject/hello:0.0.1',
      memory: 128,
      timeout: 30,
      idle_timeout: 30,
      config: {},
      annotations: { 'fnproject.io/fn/invokeEndpoint': `${at.url}/invoke/${ids.fn}` },
      created_at: '',
      updated_at: '',
    },
  )
  const changed = await at.ask('PUT', `/v2/fns/${ids.fn}`, {
    body: { memory: 256, config: { K: 'v' }, image: 'x/z' },
  })
  assert.deepEqual([changed.json.memory, changed.json.config, changed.json.image], [256, { K: 'v' }, 'x/z'])
  assert.equal((await at.ask('GET', `/v2/fns?app_id=${ids.app}`)).json.items.length, 1)

  const trigger = { name: 'way', app_id: ids.app, fn_id: ids.fn, type: 'http', source: '/hi/there' }
  const made = await at.ask('POST', '/v2/triggers', { body: trigger })
  assert.equal(made.json.annotations['fnproject.io/trigger/httpEndpoint'], `${at.url}/t/shop/hi/there`)
  assert.equal((await at.ask('GET', `/v2/triggers?app_id=${ids.app}&fn_id=${ids.fn}`)).json.items.length, 1)
  const renamed = await at.ask('PUT', `/v2/triggers/${made.json.id}`, { body: { name: 'road' } })
  assert.equal(renamed.json.name, 'road')
  assert.equal((await at.ask('GET', '/t/shop/hi/there')).status, 200)
  assert.equal((await at.ask('GET', '/t/shop/hi')).status, 404)
  assert.equal((await at.ask('DELETE', `/v2/triggers/${made.json.id}`)).status, 204)
  assert.equal((await at.ask('GET', '/t/shop/hi/there')).status, 404)
  assert.equal((await at.ask('DELETE', `/v2/fns/${ids.fn}`)).status, 204)
  assert.deepEqual((await at.ask('GET', `/v2/fns?app_id=${ids.app}`)).json.items, [])
})

test('what cannot be is refused with the words that clients know', async t => {
  const at = await open(t)
  const ids = await make(at)
  const way = { name: 'way', app_id: ids.app, fn_id: ids.fn, type: 'http', source: '/x' }
  await at.ask('POST', '/v2/triggers', { body: way })
  const cases: [string, string, unknown, number, RegExp][] = [
    ['POST', '/v2/apps', '{', 400, /Invalid JSON/],
    ['POST', '/v2/apps', {}, 400, /Missing app name/],
    ['POST', '/v2/apps', { name: 'a b' }, 400, /Invalid app name/],
    ['POST', '/v2/apps', { name: 'x', id: '1' }, 400, /ID/],
    ['POST', '/v2/apps', { name: 'x', shape: 'ROUND' }, 400, /shape/],
    ['POST', '/v2/apps', { name: 'shop' }, 409, /^App already exists$/],
    ['PUT', `/v2/apps/${ids.app}`, { name: 'other' }, 409, /^Could not update - name is immutable$/],
    ['GET', '/v2/apps/none', undefined, 404, /^App not found$/],
    ['POST', '/v2/fns', { name: 'f', image: 'x' }, 400, /Missing AppID/],
    ['POST', '/v2/fns', { name: 'f', app_id: ids.app }, 400, /image/],
    ['POST', '/v2/fns', { name: 'f', app_id: 'none', image: 'x' }, 404, /^App not found$/],
    [
      'POST',
      '/v2/fns',
      { name: 'hello', app_id: ids.app, image: 'x' },
      409,
      /^Fn with specified name already exists$/,
    ],
    ['POST', '/v2/fns', { name: 'f', app_id: ids.app, image: 'x', memory: 9000 }, 400, /memory/],
    ['POST', '/v2/fns', { name: 'f', app_id: ids.app, image: 'x', timeout: 301 }, 400, /timeout/],
    ['POST', '/v2/fns', { name: 'f', app_id: ids.app, image: 'missing/x' }, 422, /could not be pulled/],
    ['GET', '/v2/fns/none', undefined, 404, /^Fn not found$/],
    ['POST', '/v2/triggers', { ...way, type: 'clock', source: '/y' }, 400, /^Trigger Type Not Supported$/],
    [
      'POST',
      '/v2/triggers',
      { ...way, name: 'b' },
      409,
      /^Trigger with the same type and source exists on this app$/,
    ],
    ['POST', '/invoke/none', {}, 404, /^Fn not found$/],
    ['GET', '/nowhere', undefined, 404, /^Path not found: GET \/nowhere$/],
    ['PATCH', '/v2/apps', {}, 405, /^Method not allowed: PATCH \/v2\/apps$/],
  ]
  for (const [method, path, body, status, message] of cases) {
    const answer = await at.ask(method, path, body === undefined ? {} : { body })
    assert.equal(answer.status, status, `${method} ${path} ${answer.text}`)
    assert.match(answer.json.message, message)
  }
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, 1]))
  for (const annotations of [many, { 'a b': 1 }, { a: 'x'.repeat(600) }])
    assert.equal((await at.ask('POST', '/v2/apps', { body: { name: 'z', annotations } })).status, 400)
})

test('a call has its id, and fails in Fn’s words', async t => {
  const at = await open(t)
  const { fn: id } = await make(at)
  const answer = await at.ask('POST', `/invoke/${id}`, {
    body: { a: 1 },
    token: 'not for the function',
    headers: { 'x-service-token': 'nor this' },
  })
  assert.deepEqual([answer.status, answer.text], [200, 'Hello World!\n'])
  assert.ok(answer.headers.get('fn-call-id'))
  const { headers, body } = at.calls[0]!
  assert.equal(headers[headers.indexOf('atelier-fn-intent') + 1], 'invoke')
  assert.ok(!headers.includes('x-auth-token') && !headers.includes('x-service-token'))
  assert.equal(Buffer.from(body!).toString(), '{"a":1}')
  const late = await at.ask('POST', `/invoke/${id}`, { headers: { 'fn-invoke-type': 'detached' }, body: 'x' })
  assert.deepEqual([late.status, late.text], [202, ''])
  assert.equal(at.accepted.length, 1)
  for (const [code, status, message] of [
    ['FUNCTION_FAILED', 502, 'function failed'],
    ['FUNCTION_TIMEOUT', 504, 'Timed out'],
    ['TOO_MANY_REQUESTS', 503, 'Timed out - server too busy'],
  ] as const) {
    at.behaviour = () => {
      throw new AtelierError(code, 'Something else.')
    }
    const failed = await at.ask('POST', `/invoke/${id}`, { body: 'x' })
    assert.deepEqual([failed.status, failed.json], [status, { message }])
    assert.equal(failed.headers.get('retry-after'), status === 503 ? '15' : null)
  }
})

test('a function that was closed past Fn is called by who may', async t => {
  const at = await open(t, '')
  const { token, principal } = await at.login('blue')
  const { app, fn: id } = await make(at, token)
  const way = { app_id: app, fn_id: id, name: 'way', type: 'http', source: '/hi' }
  await at.ask('POST', '/v2/triggers', { token, body: way })
  await at.fixture.control.updateFunction(principal, 'shop', 'hello', { access: 'private' })
  const reader = (await at.login('blue', 'reader')).token
  const stranger = (await at.login('red')).token
  for (const path of [`/invoke/${id}`, '/t/shop/hi']) {
    assert.equal((await at.ask('POST', path, { body: 'x' })).status, 401)
    assert.equal((await at.ask('POST', path, { body: 'x', token: reader })).status, 403)
    assert.equal((await at.ask('POST', path, { body: 'x', token: stranger })).status, 404)
    assert.equal((await at.ask('POST', path, { body: 'x', token })).status, 200)
  }
})

test('without a project for everybody, managing needs a token, and reaches its project alone', async t => {
  const at = await open(t, '')
  const { token } = await at.login('blue')
  const other = (await at.login('red')).token
  const ids = await make(at, token)
  const body = { name: 'way', app_id: ids.app, fn_id: ids.fn, type: 'http', source: '/x' }
  const trigger = (await at.ask('POST', '/v2/triggers', { token, body })).json.id
  const things = [`/v2/apps/${ids.app}`, `/v2/fns/${ids.fn}`, `/v2/triggers/${trigger}`]
  for (const path of things)
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const say = method === 'PUT' ? { body: {} } : {}
      assert.equal((await at.ask(method, path, say)).status, 401)
      assert.equal((await at.ask(method, path, { ...say, token: 'forged' })).status, 401)
      assert.equal((await at.ask(method, path, { ...say, token: other })).status, 404, `${method} ${path}`)
    }
  for (const path of ['/v2/apps', `/v2/fns?app_id=${ids.app}`])
    assert.deepEqual((await at.ask('GET', path, { token: other })).json.items, [])
  const stolen = await at.ask('POST', '/v2/fns', {
    token: other,
    body: { name: 'f', app_id: ids.app, image: 'x' },
  })
  assert.equal(stolen.status, 404)
})
