import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiFixture, problem } from './fixture.ts'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly security?: readonly unknown[]
  readonly responses?: Readonly<Record<string, { readonly description?: string; readonly content?: object }>>
  readonly requestBody?: {
    readonly content: Readonly<
      Record<
        string,
        {
          readonly example?: unknown
          readonly examples?: object
          readonly schema: { readonly properties?: { readonly settings?: { readonly examples?: unknown[] } } }
        }
      >
    >
  }
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, { readonly examples?: unknown[] }>> }
  readonly tags: readonly { readonly name: string }[]
}

const fixture = await ApiFixture.open()
after(() => fixture[Symbol.asyncDispose]())
const answer = await fixture.call('GET', '/v1/openapi.json')
const document = answer.json<Document>()
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
)

test('the document is OpenAPI 3.1 and needs no token', () => {
  assert.equal(answer.statusCode, 200)
  assert.match(document.openapi, /^3\.1\./)
  assert.ok(operations.length >= 55, `${operations.length} operations`)
})

test('every operation has an id of its own, a summary, a known tag, security and answers with descriptions', () => {
  const ids = new Set<string>()
  const tags = new Set(document.tags.map(tag => tag.name))
  for (const { path, method, operation } of operations) {
    const where = `${method} ${path}`
    assert.ok(operation.operationId, `${where} has an id`)
    assert.ok(!ids.has(operation.operationId), `${where}: ${operation.operationId} is taken`)
    ids.add(operation.operationId)
    assert.ok(operation.summary, `${where} has a summary`)
    assert.ok(operation.tags?.length === 1 && tags.has(operation.tags[0]!), `${where} has a known tag`)
    assert.ok(operation.security, `${where} says what it needs`)
    const statuses = Object.keys(operation.responses ?? {})
    assert.ok(
      statuses.some(status => status.startsWith('2') || status === 'default'),
      `${where} can succeed`,
    )
    for (const [status, response] of Object.entries(operation.responses ?? {})) {
      assert.ok(response.description, `${where} ${status} is described`)
      if (Number(status) >= 400 && status !== '503')
        assert.ok('application/problem+json' in (response.content ?? {}), `${where} ${status} is a problem`)
    }
  }
})

test('every body and every named thing has an example', () => {
  for (const { path, method, operation } of operations)
    for (const [type, { example, examples, schema }] of Object.entries(
      operation.requestBody?.content ?? {},
    )) {
      const settings = schema.properties?.settings
      const shown = type === 'multipart/form-data' ? settings?.examples : (example ?? examples)
      assert.ok(shown, `${method} ${path} shows a body`)
    }
  for (const [name, schema] of Object.entries(document.components.schemas))
    assert.ok(schema.examples?.length, `${name} has an example`)
})

test('every reference leads somewhere', () => {
  for (const [, target] of JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)) {
    const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(target!) ?? []
    assert.ok(name && document.components.schemas[name], `${target} exists`)
  }
})

test('answers that are no JSON are told with their media type', () => {
  const told = (id: string): string[] => {
    const found = operations.find(({ operation }) => operation.operationId === id)
    return Object.keys(found?.operation.responses?.['200']?.content ?? {})
  }
  assert.deepEqual(told('getMetrics'), ['text/plain'])
  assert.deepEqual(told('readLogs'), ['application/x-ndjson'])
  assert.deepEqual(told('readPackage'), ['application/octet-stream'])
  assert.deepEqual(told('readBuildLog'), ['text/plain'])
  assert.deepEqual(told('getAsyncResult'), ['*/*'])
  assert.deepEqual(told('listApps'), ['application/json'])
})

test('every operation that needs a token refuses a stranger without one, and one with a wrong one', async () => {
  for (const { path, method, operation } of operations) {
    if (operation.security?.length === 0) continue
    const url = path.replaceAll(/\{number\}/g, '1').replaceAll(/\{\w+\}/g, 'x')
    for (const headers of [{}, { authorization: 'Bearer nonsense' }, { 'x-auth-token': 'nonsense' }]) {
      const refused = await fixture.call(method as 'GET', url, undefined, { headers })
      problem(refused, 401, 'UNAUTHENTICATED')
      assert.equal(refused.headers['www-authenticate'], 'Bearer realm="atelier"')
    }
  }
})

test('Swagger UI is served from our own files, under a policy that lets nothing else in', async () => {
  const page = await fixture.call('GET', '/docs')
  assert.equal(page.statusCode, 200)
  assert.match(page.body, /swagger-ui/)
  assert.equal((await fixture.call('HEAD', '/docs')).statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /default-src 'self'/)
  assert.doesNotMatch(policy, /https?:|upgrade-insecure-requests/)
  for (const [, url] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
    assert.match(url!, /^(\.|\/docs)\//)
    assert.equal((await fixture.call('GET', url!.replace(/^\./, '/docs'))).statusCode, 200, url)
  }
})
