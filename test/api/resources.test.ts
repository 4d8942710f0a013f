import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ASYNC_SETTINGS_DEFAULT } from '../../src/core/index.ts'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open()
const { member, reader, stranger } = fixture
after(() => fixture[Symbol.asyncDispose]())

type Json = Record<string, never>

test('an app is made, read, changed by revision and deleted', async () => {
  const made = await fixture.call('POST', '/v1/apps', member, { body: { name: 'one', config: { A: '1' } } })
  assert.equal(made.statusCode, 201)
  assert.equal(made.headers['location'], '/v1/apps/one')
  assert.match(made.json<{ createdAt: string }>().createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const etag = String(made.headers['etag'])
  const read = await fixture.call('GET', '/v1/apps/one', reader)
  assert.equal(read.headers['etag'], etag)
  const again = await fixture.call('GET', '/v1/apps/one', reader, {
    headers: { 'if-none-match': `"x", W/${etag}` },
  })
  assert.equal(again.statusCode, 304)
  assert.equal(again.body, '')
  const change = { body: { config: { A: '2' } }, headers: { 'if-match': etag } }
  const changed = await fixture.call('PATCH', '/v1/apps/one', member, change)
  assert.deepEqual(changed.json<{ config: unknown }>().config, { A: '2' })
  assert.notEqual(changed.headers['etag'], etag)
  problem(await fixture.call('PATCH', '/v1/apps/one', member, change), 412, 'PRECONDITION_FAILED')
  for (const value of ['"abc"', 'W/"1"'])
    problem(
      await fixture.call('PATCH', '/v1/apps/one', member, { ...change, headers: { 'if-match': value } }),
      412,
      'PRECONDITION_FAILED',
    )
  problem(
    await fixture.call('PATCH', '/v1/apps/one', member, { ...change, headers: { 'if-match': '1, 2' } }),
    400,
    'INVALID_INPUT',
  )
  problem(await fixture.call('POST', '/v1/apps', member, { body: { name: 'one' } }), 409, 'CONFLICT')
  problem(await fixture.call('POST', '/v1/apps', member, { body: { name: '../etc' } }), 400, 'INVALID_INPUT')
  problem(await fixture.call('POST', '/v1/apps', reader, { body: { name: 'two' } }), 403, 'FORBIDDEN')
  assert.equal((await fixture.call('DELETE', '/v1/apps/one', member)).statusCode, 204)
  problem(await fixture.call('GET', '/v1/apps/one', member), 404, 'NOT_FOUND')
})

test('lists come in pages with a cursor, and a cursor that was tampered with is refused', async () => {
  for (const name of ['p1', 'p2', 'p3']) await fixture.call('POST', '/v1/apps', member, { body: { name } })
  const names: string[] = []
  let url = '/v1/apps?limit=2'
  for (;;) {
    const page = (await fixture.call('GET', url, member)).json<{ items: { name: string }[]; next?: string }>()
    names.push(...page.items.map(each => each.name))
    if (page.next === undefined) break
    url = `/v1/apps?limit=2&cursor=${encodeURIComponent(page.next)}`
  }
  assert.deepEqual(
    names.filter(name => name.startsWith('p')),
    ['p1', 'p2', 'p3'],
  )
  problem(await fixture.call('GET', '/v1/apps?cursor=AAAA', member), 400, 'INVALID_INPUT')
})

test('a function with its versions and aliases is read, changed, rolled back and deleted', async () => {
  await fixture.deploy(member, { code: 'one' })
  await fixture.deploy(member, { code: 'two' })
  const base = '/v1/apps/shop/functions/cart'
  const found = (await fixture.call('GET', base, reader)).json<Json>()
  assert.equal(found['latestVersion'], 2)
  assert.equal(found['url'], 'http://127.0.0.1:1882/default/shop/cart')
  const listed = (await fixture.call('GET', '/v1/functions?app=shop', reader)).json<{ items: Json[] }>()
  assert.deepEqual(
    listed.items.map(each => each['name']),
    ['cart'],
  )
  const opened = await fixture.call('PATCH', base, member, { body: { access: 'public' } })
  assert.equal(opened.json<Json>()['access'], 'public')
  problem(await fixture.call('PATCH', base, member, { body: { access: 'open' } }), 400, 'INVALID_INPUT')

  const slow = { async: { retry: { attemptsMax: 5 }, onFailure: { kind: 'topic', topic: 'failed' } } }
  const patched = await fixture.call('PATCH', base, member, { body: slow })
  const settings = patched.json<{ async: { retry: Json; onFailure: Json; maxAgeMs: number } }>().async
  assert.deepEqual(settings.retry, { ...ASYNC_SETTINGS_DEFAULT.retry, attemptsMax: 5 })
  assert.deepEqual(settings.onFailure, { kind: 'topic', topic: 'failed' })
  assert.equal(settings.maxAgeMs, ASYNC_SETTINGS_DEFAULT.maxAgeMs)
  const reset = await fixture.call('PATCH', base, member, {
    body: { async: { retry: null, onFailure: null } },
  })
  assert.deepEqual(reset.json<Json>()['async'], ASYNC_SETTINGS_DEFAULT)
  for (const wrong of [
    { retry: { attemptsMax: 0 } },
    { retry: { on: ['bad luck'] } },
    { retry: { jitter: 2 } },
    { onSuccess: { kind: 'webhook', url: 'ftp://example.com' } },
    { onSuccess: { kind: 'webhook', url: 'https://me:secret@example.com' } },
    { onSuccess: { kind: 'function', app: '../x', function: 'y' } },
    { maxAgeMs: -1 },
    { surprise: true },
  ])
    problem(await fixture.call('PATCH', base, member, { body: { async: wrong } }), 400, 'INVALID_INPUT')

  const versions = (await fixture.call('GET', `${base}/versions`, reader)).json<{ items: Json[] }>()
  assert.deepEqual(new Set(versions.items.map(each => Number(each['number']))), new Set([1, 2]))
  const version = await fixture.call('GET', `${base}/versions/1`, reader)
  const headers = { 'if-none-match': String(version.headers['etag']) }
  assert.equal((await fixture.call('GET', `${base}/versions/1`, reader, { headers })).statusCode, 304)
  problem(await fixture.call('GET', `${base}/versions/9`, reader), 404, 'NOT_FOUND')
  problem(await fixture.call('GET', `${base}/versions/first`, reader), 400, 'INVALID_INPUT')
  problem(await fixture.call('DELETE', `${base}/versions/2`, member), 409, 'CONFLICT')

  const targets = [
    { version: 1, weight: 90 },
    { version: 2, weight: 10 },
  ]
  const put = await fixture.call('PUT', `${base}/aliases/canary`, member, { body: { targets } })
  assert.deepEqual(put.json<{ targets: unknown }>().targets, targets)
  problem(
    await fixture.call('PUT', `${base}/aliases/canary`, member, { body: { targets: targets.slice(1) } }),
    400,
    'INVALID_INPUT',
  )
  const aliases = (await fixture.call('GET', `${base}/aliases`, reader)).json<{ items: Json[] }>()
  assert.deepEqual(aliases.items.map(each => String(each['name'])).sort(), ['canary', 'live'])
  assert.equal((await fixture.call('GET', `${base}/aliases/canary`, reader)).statusCode, 200)
  assert.equal((await fixture.call('DELETE', `${base}/aliases/canary`, member)).statusCode, 204)
  problem(await fixture.call('GET', `${base}/aliases/canary`, reader), 404, 'NOT_FOUND')

  const back = await fixture.call('POST', `${base}/rollback`, member)
  assert.deepEqual(back.json<{ alias: { targets: unknown } }>().alias.targets, [{ version: 1, weight: 100 }])
  problem(await fixture.call('POST', `${base}/rollback`, member, { body: { version: 77 } }), 404, 'NOT_FOUND')
  problem(await fixture.call('POST', `${base}/rollback`, reader), 403, 'FORBIDDEN')
  assert.equal((await fixture.call('DELETE', `${base}/versions/2`, member)).statusCode, 204)
  problem(await fixture.call('DELETE', '/v1/apps/shop', member), 409, 'CONFLICT')
  assert.equal((await fixture.call('DELETE', base, member)).statusCode, 204)
  assert.equal((await fixture.call('DELETE', '/v1/apps/shop?force=true', member)).statusCode, 204)
})

test('a trigger is made, listed, changed and deleted', async () => {
  await fixture.deploy(member, { name: 'routed' })
  const body = {
    name: 'items',
    app: 'shop',
    function: 'routed',
    path: '/items/*',
    methods: ['GET'],
    cors: { origins: ['*'] },
  }
  const made = await fixture.call('POST', '/v1/triggers', member, { body })
  assert.equal(made.statusCode, 201)
  assert.equal(made.headers['location'], '/v1/triggers/items')
  problem(await fixture.call('POST', '/v1/triggers', member, { body }), 409, 'CONFLICT')
  problem(
    await fixture.call('POST', '/v1/triggers', member, { body: { ...body, path: 5 } }),
    400,
    'INVALID_INPUT',
  )
  problem(
    await fixture.call('POST', '/v1/triggers', member, { body: { ...body, name: 'b', function: 'none' } }),
    404,
    'NOT_FOUND',
  )
  const listed = (await fixture.call('GET', '/v1/triggers?app=shop&function=routed', reader)).json<{
    items: Json[]
  }>()
  assert.deepEqual(
    listed.items.map(each => each['name']),
    ['items'],
  )
  const changed = await fixture.call('PATCH', '/v1/triggers/items', member, { body: { methods: ['POST'] } })
  assert.deepEqual(changed.json<Json>()['methods'], ['POST'])
  const bare = { body: { access: null, cors: null, methods: null } }
  const bared = (await fixture.call('PATCH', '/v1/triggers/items', member, bare)).json<Json>()
  assert.deepEqual([bared['access'], bared['cors'], bared['methods']], [undefined, undefined, []])
  problem(
    await fixture.call('PATCH', '/v1/triggers/items', member, { body: { path: null } }),
    400,
    'INVALID_INPUT',
  )
  problem(
    await fixture.call('PATCH', '/v1/triggers/items', member, { body: { name: 'other' } }),
    400,
    'INVALID_INPUT',
  )
  assert.equal((await fixture.call('GET', '/v1/triggers/items', reader)).statusCode, 200)
  assert.equal((await fixture.call('DELETE', '/v1/triggers/items', member)).statusCode, 204)
  problem(await fixture.call('GET', '/v1/triggers/items', reader), 404, 'NOT_FOUND')
})

test("a secret's value goes in and never comes out", async () => {
  const put = await fixture.call('PUT', '/v1/secrets/key', member, { body: { value: 'hush-hush' } })
  assert.equal(put.statusCode, 200)
  const list = await fixture.call('GET', '/v1/secrets', reader)
  assert.deepEqual(
    list.json<{ items: Json[] }>().items.map(each => each['name']),
    ['key'],
  )
  for (const answer of [put, list]) assert.doesNotMatch(answer.body, /hush-hush/)
  problem(await fixture.call('PUT', '/v1/secrets/key', member, { body: { value: 1 } }), 400, 'INVALID_INPUT')
  problem(await fixture.call('PUT', '/v1/secrets/key', reader, { body: { value: 'x' } }), 403, 'FORBIDDEN')
  assert.equal((await fixture.call('DELETE', '/v1/secrets/key', member)).statusCode, 204)
  problem(await fixture.call('DELETE', '/v1/secrets/key', member), 404, 'NOT_FOUND')
})

test('a package is listed, downloaded and shows its build log', async () => {
  const deployed = await fixture.deploy(member, { name: 'packed', code: 'the code itself' })
  const { version } = deployed.json<{ version: { spec: { packageDigest: string } } }>()
  const digest = version.spec.packageDigest
  const list = await fixture.call('GET', '/v1/packages', reader)
  assert.ok(list.json<{ items: Json[] }>().items.some(each => each['digest'] === digest))
  assert.equal(
    (await fixture.call('GET', `/v1/packages/${digest}`, reader)).json<Json>()['fileName'],
    'main.js',
  )
  const content = await fixture.call('GET', `/v1/packages/${digest}/content`, reader)
  assert.equal(content.body, 'the code itself')
  assert.match(String(content.headers['content-disposition']), /^attachment/)
  assert.equal(content.headers['content-type'], 'application/octet-stream')
  const log = await fixture.call('GET', `/v1/packages/${digest}/build-log`, reader)
  assert.match(log.body, /checking main\.js/)
  for (const path of ['', '/content', '/build-log'])
    problem(await fixture.call('GET', `/v1/packages/${digest}${path}`, stranger), 404, 'NOT_FOUND')
})

test('environments are listed with how an entry is written', async () => {
  const list = (await fixture.call('GET', '/v1/environments', reader)).json<{ items: Json[] }>()
  assert.deepEqual(
    list.items.map(each => each['name']),
    ['nodejs', 'python'],
  )
  assert.equal(
    (await fixture.call('GET', '/v1/environments/nodejs', reader)).json<Json>()['entryHelp'],
    'a file',
  )
  assert.match(
    problem(await fixture.call('GET', '/v1/environments/cobol', reader), 404, 'NOT_FOUND').detail,
    /nodejs, python/,
  )
})

test('instances are those of the project; operators see and kill all', async () => {
  const common = {
    environment: 'nodejs',
    state: 'idle',
    inFlight: 0,
    calls: 1,
    startedAt: 0,
    memoryBytes: 1,
  } as const
  fixture.instances.push(
    { ...common, id: 'i-mine', projectId: member.principal.projectId },
    { ...common, id: 'i-theirs', projectId: stranger.principal.projectId },
    { ...common, id: 'i-generic', state: 'generic' },
  )
  const ids = async (by: typeof member) =>
    (await fixture.call('GET', '/v1/instances', by))
      .json<{ items: { id: string }[] }>()
      .items.map(each => each.id)
  assert.deepEqual(await ids(member), ['i-mine'])
  assert.deepEqual(await ids(fixture.admin), ['i-generic', 'i-mine', 'i-theirs'])
  const page = async (query: string) =>
    (await fixture.call('GET', `/v1/instances${query}`, fixture.admin)).json<{
      items: { id: string }[]
      next?: string
    }>()
  const first = await page('?limit=2')
  assert.deepEqual(
    first.items.map(each => each.id),
    ['i-generic', 'i-mine'],
  )
  const last = await page(`?limit=2&cursor=${first.next}`)
  assert.deepEqual(
    last.items.map(each => each.id),
    ['i-theirs'],
  )
  assert.equal(last.next, undefined)
  problem(await fixture.call('GET', '/v1/instances?cursor=%21', member), 400, 'INVALID_INPUT')
  assert.equal((await fixture.call('GET', '/v1/instances/i-mine', reader)).statusCode, 200)
  problem(await fixture.call('GET', '/v1/instances/i-theirs', member), 404, 'NOT_FOUND')
  problem(await fixture.call('DELETE', '/v1/instances/i-theirs', member), 404, 'NOT_FOUND')
  problem(await fixture.call('DELETE', '/v1/instances/i-mine', reader), 403, 'FORBIDDEN')
  assert.deepEqual(fixture.killed, [])
  assert.equal((await fixture.call('DELETE', '/v1/instances/i-mine', member)).statusCode, 204)
  assert.deepEqual(fixture.killed, ['i-mine'])
})

test('nothing of another project exists, whatever one asks of it', async () => {
  await fixture.deploy(member, { name: 'hidden' })
  await fixture.call('PUT', '/v1/secrets/hidden', member, { body: { value: 'x' } })
  const body = { name: 'hidden', app: 'shop', function: 'hidden', path: '/hidden' }
  await fixture.call('POST', '/v1/triggers', member, { body })
  const f = '/v1/apps/shop/functions/hidden'
  const targets = [{ version: 1, weight: 100 }]
  const asked: readonly [Parameters<typeof fixture.call>[0], string, unknown?][] = [
    ['GET', '/v1/apps/shop'],
    ['PATCH', '/v1/apps/shop', { description: 'x' }],
    ['DELETE', '/v1/apps/shop?force=true'],
    ['GET', f],
    ['PATCH', f, { access: 'public' }],
    ['DELETE', f],
    ['POST', `${f}/rollback`],
    ['GET', `${f}/versions`],
    ['GET', `${f}/versions/1`],
    ['DELETE', `${f}/versions/1`],
    ['GET', `${f}/aliases`],
    ['GET', `${f}/aliases/live`],
    ['PUT', `${f}/aliases/live`, { targets }],
    ['DELETE', `${f}/aliases/live`],
    ['GET', `${f}/logs`],
    ['GET', `${f}/invoke`],
    ['POST', `${f}/invoke`, { a: 1 }],
    ['GET', '/v1/triggers/hidden'],
    ['PATCH', '/v1/triggers/hidden', { methods: [] }],
    ['DELETE', '/v1/triggers/hidden'],
    ['DELETE', '/v1/secrets/hidden'],
  ]
  for (const [method, url, sent] of asked) {
    const answer = await fixture.call(method, url, stranger, sent === undefined ? {} : { body: sent })
    assert.equal(answer.statusCode, 404, `${method} ${url}: ${answer.statusCode} ${answer.body}`)
    problem(answer, 404, 'NOT_FOUND')
  }
  for (const list of ['apps', 'functions', 'triggers', 'secrets', 'packages', 'invocations'])
    assert.deepEqual((await fixture.call('GET', `/v1/${list}`, stranger)).json(), { items: [] }, list)
})
