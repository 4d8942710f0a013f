import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fieldsOf } from '../../src/dialects/calls.ts'
import { picasso } from '../../src/dialects/picasso/dialect.ts'
import { RawClient, until } from '../router/raw-client.ts'
import { DialectFixture } from '../support/dialects.ts'

interface Place {
  readonly at: DialectFixture
  readonly client: RawClient
  /** Calls the route `/hello`; `more`: further header lines. */
  call(options?: {
    query?: string
    method?: string
    more?: string
    body?: string
  }): Promise<{ status: number; text: string }>
}

async function open(t: TestContext): Promise<Place> {
  const at = await DialectFixture.open(picasso)
  t.after(() => at.dispose())
  const { token, principal } = await at.login('blue')
  const base = `/v1/${principal.projectId}/apps`
  const made = await at.ask('POST', base, { token, body: { app: { name: 'demo' } } })
  const app = made.json.app.name as string
  const route = { type: 'sync', path: '/hello', image: 'iron/hello', is_public: false }
  assert.equal((await at.ask('POST', `${base}/${app}/routes`, { token, body: { route } })).status, 200)
  const client = await RawClient.open(t, Number(new URL(at.url).port))
  return {
    at,
    client,
    async call({ query = '', method = 'POST', more = '', body = '{}' } = {}) {
      client.send(
        `${method} /v1/r/${principal.projectId}/${app}/hello${query} HTTP/1.1\r\nHost: h\r\nX-Auth-Token: ${token}\r\n` +
          `Content-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
      const { status, body: text } = await client.answer()
      return { status, text }
    },
  }
}

test('a plain call and one that the framework takes are answered alike, also on one connection', async t => {
  const { at, call } = await open(t)
  const plain = await call()
  const unusual = await call({ query: '?a=b' })
  const after = await call()
  assert.equal(plain.status, 200)
  assert.deepEqual([unusual, after], [plain, plain])
  const large = await call({ body: JSON.stringify('x'.repeat(100_000)) })
  assert.deepEqual(large, plain)
  assert.deepEqual(
    at.calls.map(each => each.body!.length),
    [2, 2, 2, 100_002],
  )
})

test('both are told in the debug log, and of the query nothing', async t => {
  const { at, call } = await open(t)
  await call()
  await call({ query: '?secret=1' })
  const lines = () => at.logged.filter(each => each.includes('/v1/r/'))
  await until(() => lines().length === 2)
  for (const line of lines()) {
    assert.match(line, /path: '\/v1\/r\/\w+\/demo-\w+\/hello'/)
    assert.match(line, /status: 200/)
  }
})

test('errors of both ways are alike', async t => {
  for (const behaviour of [
    () => ({ status: 500, body: '{"error":{"message":"exit code 3"}}' }),
    () => {
      throw new Error('a fault of ours')
    },
  ]) {
    const { at, call } = await open(t)
    at.behaviour = behaviour
    const plain = await call()
    assert.equal(plain.status, 500)
    assert.deepEqual(await call({ query: '?' }), plain)
  }
})

test('a field that is said twice is not read as one of them', async t => {
  const { at, call } = await open(t)
  const { token } = await at.login('red')
  assert.equal((await call({ more: `x-auth-token: ${token}\r\n` })).status, 401)
  const names = new Set(['a'])
  assert.equal(fieldsOf(['A', '1', 'b', '2', 'a', '1'], names), undefined)
  assert.deepEqual(fieldsOf(['A', '1', 'b', '2'], names), { a: '1' })
})

test('another method at the address of a call is refused as ever', async t => {
  const { call } = await open(t)
  assert.equal((await call({ method: 'PUT' })).status, 405)
})

test('the connection of a call that runs when the server closes ends with its answer', async t => {
  const at = await DialectFixture.open(picasso)
  const { token, principal } = await at.login('blue')
  const client = await RawClient.open(t, Number(new URL(at.url).port))
  client.send(
    `POST /v1/${principal.projectId}/apps HTTP/1.1\r\nHost: h\r\nX-Auth-Token: ${token}\r\n` +
      'Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{"app":{"name":"demo"}',
  )
  await until(() => at.server.requests === 1)
  const disposed = at.dispose()
  client.send('}')
  const { headers } = await client.answer()
  assert.equal(headers['connection'], 'close')
  await client.ended()
  await disposed
})
