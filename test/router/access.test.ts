import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRouter } from './fixture.ts'

const PATH = '/acme/main/private-hello'
const handlers = {
  'private-hello': (call: { respond(status: number, headers: string[], body: string): void }) =>
    call.respond(200, [], 'secret'),
}

test('a private function asks for a token', async t => {
  const { url, invoker } = await startRouter(t, { handlers })
  const response = await fetch(url + PATH)
  assert.equal(response.status, 401)
  assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="atelier"')
  assert.equal(((await response.json()) as { code: string }).code, 'UNAUTHENTICATED')
  assert.equal(invoker.calls.length, 0)
})

test('either header lets a member in, cached or not, and the function does not see it', async t => {
  const { url, invoker } = await startRouter(t, { handlers })
  for (const headers of [
    { authorization: 'Bearer member' },
    { 'x-auth-token': 'member' },
    { authorization: 'bearer fresh-member' },
    { 'x-auth-token': 'operator' },
  ]) {
    const response = await fetch(url + PATH, { headers: headers as Record<string, string> })
    assert.equal(await response.text(), 'secret')
    assert.equal(invoker.last.header('authorization'), undefined)
    assert.equal(invoker.last.header('x-auth-token'), undefined)
  }
})

test('of two credentials X-Auth-Token is ours and Authorization is the function\u2019s', async t => {
  const { url, invoker } = await startRouter(t, { handlers })
  const response = await fetch(url + PATH, {
    headers: { authorization: 'Basic eDp5', 'x-auth-token': 'member' },
  })
  assert.equal(response.status, 200)
  assert.equal(invoker.last.header('authorization'), 'Basic eDp5')
  assert.equal(invoker.last.header('x-auth-token'), undefined)
})

test('the token of a service that passes a call on goes where the one goes that it vouches for', async t => {
  const { url, invoker } = await startRouter(t, {
    handlers: { ...handlers, hello: call => call.respond(200, [], 'open') },
  })
  const headers = { 'x-auth-token': 'member', 'x-service-token': 'of-a-service' }
  assert.equal((await fetch(url + PATH, { headers })).status, 200)
  assert.equal(invoker.last.header('x-service-token'), undefined)
  assert.equal((await fetch(`${url}/acme/main/hello`, { headers })).status, 200)
  assert.equal(invoker.last.header('x-service-token'), 'of-a-service')
})

test('fields that are repeated on one connection are read for each request anew', async t => {
  const { port, invoker } = await startRouter(t, {
    handlers: { ...handlers, hello: call => call.respond(200, [], 'open') },
  })
  const { RawClient } = await import('./raw-client.ts')
  const client = await RawClient.open(t, port)
  const ask = async (path: string, fields: string) => {
    client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n\r\n`)
    return (await client.answer()).status
  }
  const token = 'Authorization: Bearer member'
  for (let round = 0; round < 2; round++) {
    assert.equal(await ask('/acme/main/hello/a', token), 200)
    assert.equal(
      invoker.last.header('authorization'),
      'Bearer member',
      'of a public function, it is the function\u2019s',
    )
    assert.equal(await ask(PATH, token), 200)
    assert.equal(invoker.last.header('authorization'), undefined)
    assert.equal(invoker.last.header('host'), 'h')
    assert.equal(await ask('http://other.example/acme/main/hello', token), 200)
    assert.equal(invoker.last.header('host'), 'other.example')
  }
  assert.equal(await ask(PATH, 'Authorization: Bearer nobody'), 401)
  assert.equal(await ask(PATH, token), 200)
})

test('a bad token is 401, a role that may not invoke 403, a dead identity service 503', async t => {
  const { url, invoker, logged } = await startRouter(t, { handlers })
  for (const [token, status] of [
    ['nonsense', 401],
    ['', 401],
    ['reader', 403],
    ['fresh-reader', 403],
    ['down', 503],
  ] as const) {
    const response = await fetch(url + PATH, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(response.status, status, token)
    if (status === 503) assert.equal(response.headers.get('retry-after'), '3')
  }
  assert.equal(invoker.calls.length, 0)
  assert.equal(logged.length, 1)
})

test('another project\u2019s function is not there, in the same words as one that is not', async t => {
  const { url } = await startRouter(t, { handlers })
  const headers = { authorization: 'Bearer stranger' }
  const theirs = await problem(url + PATH, headers)
  const nothing = await problem(`${url}/acme/main/private-nothing`, headers)
  assert.equal(theirs.status, 404)
  assert.deepEqual({ ...theirs, instance: '' }, { ...nothing, instance: '' })
})

test('no spelling of the path reaches around a private route', async t => {
  const { url, invoker, port } = await startRouter(t, {
    handlers,
    triggers: [
      { function: 'hello', path: '/*' },
      { function: 'private-hello', path: '/admin/*' },
    ],
  })
  const { RawClient } = await import('./raw-client.ts')
  for (const path of [
    '/admin',
    '/admin/',
    '/admin/x',
    '/%61dmin/x',
    '/adm%69n/x',
    '/admin/%2e%2e%2fx',
    '/admin//x',
    '/admin/;/x',
  ]) {
    const client = await RawClient.open(t, port)
    client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
    assert.equal((await client.answer()).status, 401, path)
  }
  for (const path of [
    '//admin/x',
    '/x/../admin/x',
    '/./admin/x',
    '/x/%2e%2e/admin',
    '/admin\\x',
    '/admin%00',
    '/x/.%2E/admin',
    '/%',
  ]) {
    const client = await RawClient.open(t, port)
    client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
    assert.equal((await client.answer()).status, 400, path)
  }
  assert.equal(invoker.calls.length, 0)
  assert.equal((await fetch(`${url}/Admin/x`)).status, 200, 'another case is another path')
})

test('a trigger\u2019s access overrides the function\u2019s', async t => {
  const { url } = await startRouter(t, {
    handlers,
    triggers: [
      { function: 'private-hello', path: '/open', access: 'public' },
      { function: 'hello', path: '/closed', access: 'private' },
    ],
  })
  assert.equal((await fetch(`${url}/open`)).status, 200)
  assert.equal((await fetch(`${url}/closed`)).status, 401)
})

test('two tokens of one kind are refused', async t => {
  const { port, invoker } = await startRouter(t, { handlers })
  const { RawClient } = await import('./raw-client.ts')
  const client = await RawClient.open(t, port)
  client.send(`GET ${PATH} HTTP/1.1\r\nHost: h\r\nX-Auth-Token: nonsense\r\nX-Auth-Token: member\r\n\r\n`)
  assert.equal((await client.answer()).status, 400)
  assert.equal(invoker.calls.length, 0)
})

async function problem(
  url: string,
  headers: Record<string, string>,
): Promise<Record<string, unknown> & { status: number }> {
  return (await (await fetch(url, { headers })).json()) as Record<string, unknown> & { status: number }
}
