import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { InstanceView } from '../../src/pool/index.ts'
import { ApiFixture, type Login } from '../api/fixture.ts'
import { aLine, anInvocation } from '../telemetry/fixture.ts'

/** Every operation of the OpenAPI document, tried by those who must not: a new route is attacked without a word here. */

const MARK = 'mark-5b1d'
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const
/** What everybody with a token may do, since it is about themselves. */
const OWN = new Set(['whoami', 'revokeToken', 'setPassword'])

/** Whose body is the caller's own content, whatever stands in it. */
const FREE = new Set(['fireTrigger'])

/** What makes a thing of the caller's own, whatever others call theirs. */
const MAKING = new Set(['createApp', 'deploy', 'putSecret'])

/** One example stands by itself, several have names (OpenAPI 3.1, Media Type Object). */
interface Example {
  readonly example?: object
  readonly examples?: Readonly<Record<string, { readonly value?: object }>>
}

interface Described {
  readonly operationId: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Example>> }
}

interface Known extends Described {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
}

let fixture: ApiFixture
let operations: readonly Known[]
let things: Readonly<Record<string, string>>

before(async () => {
  fixture = await ApiFixture.open()
  const settings = { description: MARK, config: { SETTING: MARK } }
  const deployed = (await fixture.deploy(fixture.member, { settings })).json<{
    version: { spec: { packageDigest: string } }
  }>()
  const by = fixture.member
  const made = [
    await fixture.call('PUT', '/v1/apps/shop/functions/cart/aliases/stable', by, {
      body: { targets: [{ version: 1, weight: 100 }] },
    }),
    await fixture.call('PUT', '/v1/secrets/KEY', by, { body: { value: MARK } }),
    await fixture.call('POST', '/v1/triggers', by, {
      body: { name: 'hook', kind: 'webhook', app: 'shop', function: 'cart', config: { signature: 'none' } },
    }),
    await fixture.call('POST', '/v1/topics', by, { body: { name: 'news' } }),
    await fixture.call('POST', '/v1/triggers', by, {
      body: { name: 'front', app: 'shop', function: 'cart', path: `/${MARK}/*` },
    }),
  ]
  for (const answer of made) assert.ok(answer.statusCode < 300, answer.body)
  const { projectId } = by.principal
  const functionId = (await fixture.call('GET', '/v1/apps/shop/functions/cart', by)).json<{ id: string }>().id
  const record = anInvocation({
    projectId,
    functionId,
    appName: 'shop',
    functionName: 'cart',
    errorMessage: MARK,
  })
  fixture.telemetry.onInvocation(record)
  fixture.telemetry.onLog(aLine({ projectId, functionId, invocationId: record.id, text: MARK }))
  fixture.instances.push({
    id: 'instance-1',
    projectId,
    functionId,
    version: 1,
    environment: 'nodejs',
    state: 'idle',
    calls: 1,
    startedAt: 0,
    memoryBytes: 1,
  } as unknown as InstanceView)
  things = {
    project: 'default',
    user: 'mia',
    role: 'member',
    app: 'shop',
    function: 'cart',
    number: '1',
    alias: 'stable',
    trigger: 'front',
    request: 'request-1',
    topic: 'news',
    secret: 'KEY',
    environment: 'nodejs',
    name: 'nodejs',
    id: record.id,
    invocation: record.id,
    instance: 'instance-1',
    digest: deployed.version.spec.packageDigest,
  }
  const document = (await fixture.call('GET', '/v1/openapi.json')).json<{
    paths: Record<string, Partial<Record<(typeof METHODS)[number], Described>>>
  }>()
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap(method => {
      const found = item[method]
      return found ? [{ ...found, path, method: method.toUpperCase() as Known['method'] }] : []
    }),
  )
})
after(() => fixture[Symbol.asyncDispose]())

function isOpen(operation: Known): boolean {
  return operation.security?.length === 0
}

function addressOf(
  { path, parameters = [] }: Known,
  named: Readonly<Record<string, string>> = things,
): string {
  const value = (name: string) => {
    // What is done to triggers is done to those that wait for events.
    if (name === 'trigger' && named === things && path.includes('{trigger}/')) return 'hook'
    assert.ok(named[name] !== undefined, `the test knows no ${name} for ${path}`)
    return encodeURIComponent(named[name])
  }
  const needed = parameters.filter(each => each.in === 'query' && each.required)
  const query = needed.map(({ name }) => `${name}=${value(name)}`).join('&')
  return `${path.replace(/\{(\w+)\}/g, (_, name: string) => value(name))}?${query}`
}

/** A body that the operation takes. */
function bodyOf({ requestBody }: Known): { body?: object } {
  const json = requestBody?.content['application/json']
  const example = json?.example ?? Object.values(json?.examples ?? {})[0]?.value
  return example === undefined ? {} : { body: example }
}

async function tryAll(
  by: Login | undefined,
  which: (operation: Known) => boolean,
  judge: (operation: Known, status: number, body: string) => void,
): Promise<void> {
  const tried = operations.filter(which)
  assert.ok(tried.length > 5)
  for (const operation of tried) {
    const url = addressOf(operation)
    const answer =
      operation.operationId === 'deploy' && by
        ? await fixture.deploy(by)
        : await fixture.call(operation.method, url, by, bodyOf(operation))
    judge(operation, answer.statusCode, answer.body)
  }
}

test('without a token, or with one that is made up, nothing but the open routes answers', async () => {
  const madeUp = {
    headers: { authorization: 'Bearer atk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
  } as Login
  for (const by of [undefined, madeUp])
    await tryAll(
      by,
      each => !isOpen(each),
      (operation, status) => assert.equal(status, 401, `${operation.method} ${operation.path}`),
    )
})

test("no operation shows, or changes, anything of another project's", async () => {
  const before = await fixture.call('GET', '/v1/functions', fixture.member)
  await tryAll(
    fixture.stranger,
    each => !isOpen(each) && !OWN.has(each.operationId) && !MAKING.has(each.operationId),
    (operation, status, body) => {
      const what = `${operation.method} ${operation.path} answered ${status}: ${body.slice(0, 300)}`
      assert.ok(!body.includes(MARK), what)
      // What names a thing of theirs is not there; environments are everybody's.
      if (/\{(?!project|user|environment|name)/.test(operation.path)) assert.equal(status, 404, what)
      assert.ok(status < 500, what)
    },
  )
  const now = await fixture.call('GET', '/v1/functions', fixture.member)
  assert.deepEqual(now.json(), before.json())
})

test('a reader writes nothing', async () => {
  await tryAll(
    fixture.reader,
    each => each.method !== 'GET' && !isOpen(each) && !OWN.has(each.operationId),
    (operation, status, body) =>
      assert.equal(status, 403, `${operation.method} ${operation.path}: ${body.slice(0, 200)}`),
  )
})

test('odd text in any name or query parameter is an error of the caller, and echoes nothing raw', async () => {
  const odd = [
    "' or 1=1 --",
    '../../etc/passwd',
    '%00',
    'a\r\nset-cookie: x=1',
    '\u0000',
    '__proto__',
    '<script>',
    'x'.repeat(300),
    '\ud800',
    '{{7*7}}',
    '%',
  ] // prettier-ignore
  for (const operation of operations.filter(each => !isOpen(each) && each.method === 'GET')) {
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(match => match[1]!)
    const queries = operation.parameters?.filter(each => each.in === 'query').map(each => each.name) ?? []
    for (const text of odd) {
      const escaped = encodeURIComponent(text.toWellFormed())
      const urls = [
        ...names.map(name => addressOf(operation, { ...things, [name]: text.toWellFormed() })),
        ...queries
          .filter(name => name !== 'follow')
          .map(name => `${addressOf(operation)}&${name}=${escaped}`),
      ]
      for (const url of urls) {
        const answer = await fixture.call('GET', url, fixture.member)
        assert.ok(answer.statusCode < 500, `${url}: ${answer.statusCode} ${answer.body}`)
        assert.equal(answer.headers['set-cookie'], undefined)
        assert.ok(!/SQLITE|syntax error|node_modules|\.ts:\d/.test(answer.body), `${url}: ${answer.body}`)
      }
    }
  }
})

test('nothing can be set that is not the caller’s to set', async () => {
  for (const operation of operations.filter(each => each.requestBody?.content['application/json'])) {
    const { body } = bodyOf(operation)
    assert.ok(body, `${operation.operationId} has an example`)
    if (isOpen(operation) || FREE.has(operation.operationId)) continue
    for (const more of [
      { projectId: 'x' },
      { revision: 99 },
      { id: 'x' },
      { createdAt: 0 },
      { roles: ['admin'] },
    ]) {
      const answer = await fixture.call(operation.method, addressOf(operation), fixture.admin, {
        body: { ...body, ...more },
      })
      assert.ok(
        [400, 422].includes(answer.statusCode),
        `${operation.operationId} ${answer.statusCode} ${answer.body}`,
      )
    }
  }
})

test('JSON that poisons prototypes, or is nested without end, is refused', async () => {
  const headers = { ...fixture.member.headers, 'content-type': 'application/json' }
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  for (const payload of [
    '{"name":"a","__proto__":{"isAdmin":true}}',
    '{"name":"a","constructor":{"prototype":{"isAdmin":true}}}',
    `{"name":"a","description":${deep}}`,
    deep,
    '{"name":"a","name":',
    '\ufeff{}',
  ]) {
    const answer = await fixture.api.inject({ method: 'POST', url: '/v1/apps', headers, payload })
    assert.equal(answer.statusCode, 400, answer.body)
  }
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
})

test('an Idempotency-Key of one principal gives another nothing', async () => {
  const options = { headers: { 'idempotency-key': 'same' }, body: { name: 'mine', description: MARK } }
  assert.equal((await fixture.call('POST', '/v1/apps', fixture.member, options)).statusCode, 201)
  const theirs = await fixture.call('POST', '/v1/apps', fixture.stranger, options)
  assert.equal(theirs.statusCode, 201)
  const seen = await fixture.call('POST', '/v1/apps', fixture.stranger, options)
  assert.equal(seen.json<{ id: string }>().id, theirs.json<{ id: string }>().id)
  const reader = await fixture.call('POST', '/v1/apps', fixture.reader, options)
  assert.equal(reader.statusCode, 403)
})

test('a token that was revoked, or whose user is gone, opens nothing more', async () => {
  const gone = await fixture.user('gone', 'default', 'member')
  assert.equal((await fixture.call('GET', '/v1/apps', gone)).statusCode, 200)
  assert.ok((await fixture.call('DELETE', '/v1/users/gone', fixture.admin)).statusCode < 300)
  assert.equal((await fixture.call('GET', '/v1/apps', gone)).statusCode, 401)
  const demoted = await fixture.user('demoted', 'default', 'member')
  const grants = '/v1/projects/default/grants'
  const body = { user: 'demoted', role: 'reader' }
  assert.ok((await fixture.call('PUT', grants, fixture.admin, { body })).statusCode < 300)
  const ungrant = await fixture.call('DELETE', `${grants}?user=demoted&role=member`, fixture.admin)
  assert.equal(ungrant.statusCode, 204)
  assert.equal((await fixture.call('POST', '/v1/apps', demoted, { body: { name: 'x' } })).statusCode, 403)
})
