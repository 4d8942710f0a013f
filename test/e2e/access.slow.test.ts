import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runExample } from '../support/doc-example.ts'
import { ServerProcess } from '../support/server-process.ts'

const HELLO = {
  'index.mjs': `export default request => ({ path: new URL(request.url).pathname, method: request.method })`,
}

let server: ServerProcess
const tokens = new Map<string, string>()

before(async () => {
  server = await ServerProcess.start()
  await server.deploy('open', HELLO, { access: 'public' })
  await server.deploy('closed', HELLO, { access: 'private' })
  assert.equal((await server.api('POST', '/v1/projects', { name: 'other' })).status, 201)
  for (const [user, project, role] of [
    ['member', 'default', 'member'],
    ['reader', 'default', 'reader'],
    ['stranger', 'other', 'member'],
  ] as const) {
    const password = `a password of ${user}`
    assert.equal((await server.api('POST', '/v1/users', { name: user, password })).status, 201)
    const granted = await server.api('PUT', `/v1/projects/${project}/grants`, { user, role })
    assert.ok(granted.status < 300, granted.text)
    const login = await fetch(`${server.url}/v1/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, password, project }),
    })
    tokens.set(user, ((await login.json()) as { token: string }).token)
  }
})
after(() => server?.dispose())

test('a public function answers everybody, a private one members of its project alone', async () => {
  assert.equal((await server.call('open')).status, 200)
  const nobody = await server.call('closed')
  assert.equal(nobody.status, 401)
  assert.match(nobody.headers.get('www-authenticate') ?? '', /Bearer/)
  assert.equal((await server.call('closed', as('member'))).status, 200)
  assert.equal((await server.call('closed', { headers: { authorization: 'Bearer made.up' } })).status, 401)
  const stranger = await server.call('closed', as('stranger'))
  assert.equal(stranger.status, 404, 'it does not exist for another project')
})

test('a reader looks and does nothing', async () => {
  assert.equal((await ask('reader', 'GET', '/v1/apps/default/functions/open')).status, 200)
  assert.equal((await ask('reader', 'DELETE', '/v1/apps/default/functions/open')).status, 403)
  assert.equal((await ask('reader', 'POST', '/v1/apps', { name: 'new' })).status, 403)
  assert.equal((await ask('reader', 'POST', '/v1/apps/default/functions/open/invoke')).status, 403)
})

test('the things of another project do not exist, whichever way they are asked for', async () => {
  await server.api('PUT', '/v1/secrets/HIDDEN', { value: 'a value' })
  const invocation = (await server.call('open')).headers.get('atelier-invocation-id')
  await server.record(invocation)
  const { items } = (await server.api<{ items: { id: string }[] }>('GET', '/v1/instances')).json
  for (const path of [
    '/v1/apps/default/functions/open',
    '/v1/apps/default/functions/open/versions/1',
    '/v1/apps/default/functions/open/aliases/live',
    '/v1/apps/default/functions/open/logs',
    `/v1/invocations/${invocation}`,
    `/v1/instances/${items.at(-1)!.id}`,
    '/v1/projects/default',
  ])
    assert.equal((await ask('stranger', 'GET', path)).status, 404, path)
  for (const path of ['/v1/functions', '/v1/secrets', '/v1/invocations', '/v1/packages', '/v1/triggers']) {
    const { items } = (await (await ask('stranger', 'GET', path)).json()) as { items: unknown[] }
    assert.deepEqual(items, [], path)
  }
  const asking = await fetch(`${server.url}/v1/functions`, {
    headers: { ...as('stranger').headers, 'atelier-project': 'default' },
  })
  assert.ok(
    asking.status === 404 || asking.status === 401,
    `asking for the project by name is ${asking.status}`,
  )
})

test('the API answers nobody without a token', async () => {
  for (const path of ['/v1/functions', '/v1/status', '/v1/instances', '/v1/environments', '/v1/usage'])
    assert.equal((await fetch(server.url + path)).status, 401, path)
})

test('a secret is seen by the code that names it and by nobody else', async () => {
  const value = 'nobody-may-read-this-7261'
  assert.ok((await server.api('PUT', '/v1/secrets/API_KEY', { value })).status < 300)
  const reads = {
    'index.mjs': `export default (_, context) => [context.secrets.API_KEY, process.env.API_KEY]`,
  }
  await server.deploy('with', reads, { secrets: ['API_KEY'] })
  await server.deploy('without', reads)
  assert.deepEqual((await server.call('with')).json, [value, value])
  assert.deepEqual((await server.call('without')).json, [null, null])
  for (const path of [
    '/v1/secrets',
    '/v1/apps/default/functions/with',
    '/v1/apps/default/functions/with/versions',
    '/v1/apps/default/functions/with/logs',
    '/v1/status',
  ]) {
    const answer = await server.api('GET', path)
    assert.equal(answer.status, 200, path)
    assert.ok(!answer.text.includes(value), path)
  }
  const missing = await server.tryDeploy('wrong', reads, { secrets: ['NOT_THERE'] })
  assert.ok(missing.status >= 400 && missing.status < 500)
  assert.match(missing.text, /NOT_THERE/)
})

test("the triggers of the router's page answer where it says", async () => {
  const tells = `export default request => ({
    path: new URL(request.url).pathname, id: request.headers.get('x-atelier-params-id'),
  })`
  const form = new FormData()
  form.set('settings', JSON.stringify({ access: 'public' }))
  form.set('package', new Blob([tells]), 'index.mjs')
  const deployed = await server.api('POST', '/v1/apps/shop/functions/orders/deploy', form)
  assert.equal(deployed.status, 201, deployed.text)
  const { code, stdout, stderr } = await runExample('router.md', 'trigger', server.home)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /order .*\/orders\/\{id\}/)
  const order = await fetch(`${server.routerUrl}/orders/17`)
  assert.deepEqual(await order.json(), { path: '/orders/17', id: '17' })
  assert.equal((await fetch(`${server.routerUrl}/orders/17`, { method: 'POST' })).status, 405)
  assert.equal(await hosted('files.example.org', '/files/a/b'), 200)
  assert.equal((await fetch(`${server.routerUrl}/files/a/b`)).status, 404)
})

test('routes match hosts, methods, parameters and prefixes, and CORS is answered for the function', async () => {
  const made = [
    { name: 'exact', path: '/exact', methods: ['GET'] },
    { name: 'param', path: '/items/{id}/parts' },
    { name: 'prefix', path: '/site/*', stripPrefix: true },
    { name: 'whole', path: '/kept/*' },
    { name: 'hosted', path: '/*', host: 'shop.example' },
    {
      name: 'shared',
      path: '/shared',
      cors: {
        origins: ['https://page.example'],
        methods: ['PUT'],
        headers: ['x-mine'],
        credentials: true,
        maxAgeS: 60,
      },
    },
    { name: 'guarded', path: '/guarded', access: 'private' },
  ]
  for (const trigger of made) {
    const answer = await server.api('POST', '/v1/triggers', { app: 'default', function: 'open', ...trigger })
    assert.equal(answer.status, 201, answer.text)
  }
  const seen = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(server.routerUrl + path, init)
    return answer.ok ? ((await answer.json()) as { path: string }).path : answer.status
  }
  assert.equal(await seen('/exact'), '/exact')
  const wrongMethod = await fetch(`${server.routerUrl}/exact`, { method: 'POST' })
  assert.deepEqual([wrongMethod.status, wrongMethod.headers.get('allow')?.includes('GET')], [405, true])
  assert.equal(await seen('/items/17/parts'), '/items/17/parts')
  assert.equal(await seen('/items/17'), 404)
  assert.equal(await seen('/site/a/b'), '/a/b')
  assert.equal(await seen('/kept/a/b'), '/kept/a/b')
  assert.equal(await seen('/guarded'), 401)
  assert.equal(await seen('/guarded', as('member')), '/guarded')
  assert.equal(await hosted('shop.example', '/anything'), 200)
  assert.equal(await hosted('another.example', '/anything'), 404)

  const preflight = await fetch(`${server.routerUrl}/shared`, {
    method: 'OPTIONS',
    headers: { origin: 'https://page.example', 'access-control-request-method': 'PUT' },
  })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://page.example')
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PUT/)
  assert.equal(preflight.headers.get('access-control-max-age'), '60')
  const elsewhere = await fetch(`${server.routerUrl}/shared`, { headers: { origin: 'https://evil.example' } })
  assert.equal(elsewhere.headers.get('access-control-allow-origin'), null)
})

function as(user: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${tokens.get(user)}` } }
}

function ask(user: string, method: string, path: string, body?: object): Promise<Response> {
  return fetch(server.url + path, {
    method,
    headers: { ...as(user).headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
}

/** The status of a request with a Host of its own, which `fetch` does not let one set. */
async function hosted(host: string, path: string): Promise<number> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    request(server.routerUrl + path, { headers: { host } }, answer => {
      answer.resume()
      resolve(answer.statusCode!)
    })
      .once('error', reject)
      .end()
  })
}

test('the login of the page on identity: an operator lets a user in, who is then somebody in the project', async () => {
  const own = [['http://127.0.0.1:1881', server.url]] as const
  const { code, stdout, stderr } = await runExample('identity.md', 'login', server.home, {}, own)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /user +olga\nproject +garden\nroles +member\n/)
})
