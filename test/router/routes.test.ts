import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { HookReceiver } from '../../src/router/index.ts'
import { publishFunction, publishTrigger, type RouterFixture, startRouter } from './fixture.ts'
import { RawClient } from './raw-client.ts'

test('a function answers at its own address, with version or alias and the rest of the path', async t => {
  const { url, invoker } = await startRouter(t)
  for (const [path, seen, qualifier] of [
    ['/acme/main/hello', '/', undefined],
    ['/acme/main/hello/', '/', undefined],
    ['/acme/main/hello/a/b%2Fc?x=%20', '/a/b%2Fc?x=%20', undefined],
    ['/acme/main/hello:1/a:b', '/a:b', '1'],
    ['/acme/main/hello:live?q', '/?q', 'live'],
  ] as const) {
    assert.equal((await fetch(url + path)).status, 200, path)
    assert.equal(invoker.last.request.path, seen)
    assert.equal(invoker.last.request.qualifier, qualifier)
  }
  for (const path of [
    '/acme/main/hello:9',
    '/acme/main/nothing',
    '/acme/main',
    '/acme',
    '/',
    '/acme/main/hello%3Alive',
    '/acme/main/hello//x',
  ])
    assert.equal((await fetch(url + path)).status, 404, path)
})

test('a trigger passes parameters as headers that a client cannot speak', async t => {
  const { port, invoker } = await startRouter(t, {
    triggers: [{ function: 'hello', path: '/users/{userName}/files/{id}' }],
  })
  const client = await RawClient.open(t, port)
  client.send(
    'GET /users/ann%2Fb/files/7 HTTP/1.1\r\nHost: h\r\nX-Atelier-Params-Id: 8\r\nX_Atelier_Params_Id: 9\r\nAtelier-Invocation-Id: x\r\n\r\n',
  )
  assert.equal((await client.answer()).status, 200)
  const { last } = invoker
  assert.equal(last.header('x-atelier-params-username'), 'ann%2Fb')
  assert.equal(last.header('x-atelier-params-id'), '7')
  assert.equal(
    last.headers.some(text => text.includes('x_atelier') || text === 'atelier-invocation-id'),
    false,
  )
  assert.equal(last.request.path, '/users/ann%2Fb/files/7')
})

test('a prefix is stripped when the trigger says so', async t => {
  const { url, invoker } = await startRouter(t, {
    triggers: [
      { function: 'hello', path: '/strip/*', stripPrefix: true },
      { function: 'hello', path: '/keep/*' },
    ],
  })
  for (const [path, seen] of [
    ['/strip', '/'],
    ['/strip/', '/'],
    ['/strip/a?b', '/a?b'],
    ['/keep/a?b', '/keep/a?b'],
  ] as const) {
    assert.equal((await fetch(url + path)).status, 200)
    assert.equal(invoker.last.request.path, seen)
  }
  assert.equal((await fetch(`${url}/strip//evil.example/x`)).status, 404)
})

test('a wrong method is 405 with those that are right', async t => {
  const { url } = await startRouter(t, {
    triggers: [{ function: 'hello', path: '/only', methods: ['GET', 'POST'] }],
  })
  const response = await fetch(`${url}/only`, { method: 'DELETE' })
  assert.equal(response.status, 405)
  assert.equal(response.headers.get('allow'), 'GET, POST, HEAD')
  assert.equal((await fetch(`${url}/only`, { method: 'HEAD' })).status, 200)
})

test('no route takes over a function of another project', async t => {
  const { url, table, invoker } = await startRouter(t)
  table.publish([{ kind: 'project', id: 'p-evil', value: { id: 'p-evil', name: 'evil', enabled: true } }])
  const thief = publishFunction(table, { project: 'evil', name: 'hello' })
  for (const path of ['/acme/main/hello', '/*'])
    publishTrigger(table, { projectId: 'p-evil', functionId: thief.id, path })
  await fetch(`${url}/acme/main/hello`)
  assert.equal(invoker.last.request.target.projectId, 'p-acme')
  await fetch(`${url}/acme/main/other`)
  assert.equal(invoker.last.request.target.projectId, 'p-evil')
  publishTrigger(table, { functionId: 'acme-hello', path: '/acme/main/hello', alias: '1' })
  await fetch(`${url}/acme/main/hello`)
  assert.equal(invoker.last.request.qualifier, undefined, 'the older route decides, and it may not')
})

const HOOK = 'T0ken_of-a_trigger-with_32-signs'

/** What is answered at `path` on `host`, and with which fields. */
async function ask(t: TestContext, { port }: RouterFixture, host: string, path: string) {
  const client = await RawClient.open(t, port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: session=shop\r\n\r\n`)
  return client.answer()
}

test('on a host that a project has routed nobody else answers, by whatever address', async t => {
  const hooks: HookReceiver = {
    hookProject: token => (token === HOOK ? 'p-evil' : undefined),
    receiveHook: async () => ({ status: 200, headers: ['content-type', 'text/html'], body: 'evil' }),
  }
  const router = await startRouter(t, {
    hooks,
    triggers: [{ function: 'hello', host: 'shop.example', path: '/login' }],
  })
  const { table, invoker } = router
  table.publish([{ kind: 'project', id: 'p-evil', value: { id: 'p-evil', name: 'evil', enabled: true } }])
  const thief = publishFunction(table, { project: 'evil', name: 'hello' })
  publishTrigger(table, { projectId: 'p-evil', functionId: thief.id, path: '/evil/*' })
  const paths = ['/evil/main/hello', '/evil/page', `/-/hooks/${HOOK}`]
  for (const path of paths) {
    assert.equal((await ask(t, router, 'shop.example', path)).status, 404, path)
    assert.equal((await ask(t, router, 'SHOP.example.:80', path)).status, 404, path)
    assert.equal((await ask(t, router, 'elsewhere.example', path)).status, 200, path)
  }
  const ownRoute = publishTrigger(table, { host: 'shop.example', path: '/*' })
  for (const path of paths.slice(0, 2)) {
    assert.equal((await ask(t, router, 'shop.example', path)).status, 200, path)
    assert.equal(invoker.last.request.target.projectId, 'p-acme', path)
  }
  assert.equal((await ask(t, router, 'shop.example', '/acme/main/hello')).status, 200)
  for (const { id } of [ownRoute, ...table.triggers.values()].filter(each => each.host !== undefined))
    table.publish([{ kind: 'trigger', id, value: undefined }])
  assert.equal((await ask(t, router, 'shop.example', '/evil/main/hello')).status, 200, 'nobody has it now')
})

test('what browsers take for a whole host is said by a function only on a host of its own', async t => {
  const fields = {
    'service-worker-allowed': '/',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'clear-site-data': '"*"',
    'alt-svc': 'h3=":444"',
    nel: '{"report_to":"x","max_age":9,"success_fraction":1}',
    'report-to': '{"group":"x","max_age":9,"endpoints":[{"url":"https://evil.example/"}]}',
  }
  const router = await startRouter(t, {
    handlers: { loud: call => call.respond(200, Object.entries(fields).flat(), 'x') },
    triggers: [
      { function: 'loud', path: '/loud' },
      { function: 'loud', host: 'shop.example', path: '/loud' },
    ],
  })
  const shared = [
    ['127.0.0.1', '/acme/main/loud'],
    ['elsewhere.example', '/loud'],
  ] as const
  for (const [host, path] of shared) {
    const { headers } = await ask(t, router, host, path)
    for (const name of Object.keys(fields)) assert.equal(headers[name], undefined, name)
  }
  for (const path of ['/loud', '/acme/main/loud']) {
    const { headers } = await ask(t, router, 'shop.example', path)
    for (const [name, value] of Object.entries(fields)) assert.equal(headers[name], value, name)
  }
})

test('a change of the table counts from the next request on', async t => {
  const { url, table, invoker } = await startRouter(t)
  const get = async () => (await fetch(`${url}/new`)).status
  assert.equal(await get(), 404)
  const trigger = publishTrigger(table, { path: '/new' })
  assert.equal(await get(), 200)
  table.publish([{ kind: 'trigger', id: trigger.id, value: { ...trigger, alias: '1' } }])
  await get()
  assert.equal(invoker.last.request.qualifier, '1')
  table.publish([{ kind: 'function', id: 'acme-hello', value: undefined }])
  assert.equal(await get(), 404)
  publishFunction(table, { name: 'hello' })
  assert.equal(await get(), 200)
  table.publish([{ kind: 'trigger', id: trigger.id, value: undefined }])
  assert.equal(await get(), 404)
})

test('a trigger with a path that cannot be routed leaves the others alone, and is logged', async t => {
  const { url, table, logged } = await startRouter(t)
  publishTrigger(table, { path: '/{bad' })
  publishTrigger(table, { path: '/good' })
  assert.equal((await fetch(`${url}/good`)).status, 200)
  assert.equal(logged.length, 1)
})
