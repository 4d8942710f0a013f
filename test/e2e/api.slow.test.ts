import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Answer } from '../support/server-client.ts'
import { ServerProcess } from '../support/server-process.ts'

interface Page {
  readonly items: readonly { readonly name: string }[]
  readonly next?: string
}

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server?.dispose())

test('pages of a list follow each other without gap or repetition', async () => {
  for (let n = 0; n < 7; n++)
    assert.equal((await server.api('POST', '/v1/apps', { name: `paged-${n}` })).status, 201)
  const names: string[] = []
  let pages = 0
  for (let cursor: string | undefined = ''; cursor !== undefined; pages++) {
    const { json }: Answer<Page> = await server.api(
      'GET',
      `/v1/apps?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    names.push(...json.items.map(app => app.name))
    cursor = json.next
  }
  assert.equal(pages, 3)
  assert.deepEqual(
    names.toSorted(),
    Array.from({ length: 7 }, (_, n) => `paged-${n}`),
  )
  assert.equal((await server.api('GET', '/v1/apps?cursor=made-up')).status, 400)
})

test('a write that names a revision which is over is refused, and changes nothing', async () => {
  await server.api('POST', '/v1/apps', { name: 'guarded', description: 'first' })
  const read = await server.api<{ description: string }>('GET', '/v1/apps/guarded')
  const tag = read.headers.get('etag')
  assert.ok(tag)
  const changed = await server.api(
    'PATCH',
    '/v1/apps/guarded',
    { description: 'second' },
    { 'if-match': tag },
  )
  assert.equal(changed.status, 200)
  const late = await server.api('PATCH', '/v1/apps/guarded', { description: 'third' }, { 'if-match': tag })
  assert.deepEqual([late.status, late.json.code], [412, 'PRECONDITION_FAILED'])
  const now = await server.api<{ description: string }>('GET', '/v1/apps/guarded')
  assert.equal(now.json.description, 'second')
  assert.notEqual(now.headers.get('etag'), tag)
})

test('what is asked twice with one key is done once: a create, a deploy and a call', async () => {
  const create = () => server.api('POST', '/v1/apps', { name: 'once' }, { 'idempotency-key': 'create-once' })
  const [first, second] = [await create(), await create()]
  assert.deepEqual([first.status, second.status, first.text === second.text], [201, 201, true])
  const other = await server.api('POST', '/v1/apps', { name: 'twice' }, { 'idempotency-key': 'create-once' })
  assert.ok(other.status >= 400 && other.status < 500, `another request with the same key is ${other.status}`)

  await server.deploy('counts', { 'index.mjs': `let n = 0\nexport default () => String(++n)` })
  const call = () =>
    server.api('POST', '/v1/apps/default/functions/counts/invoke', {}, { 'idempotency-key': 'call-once' })
  assert.deepEqual([(await call()).text, (await call()).text], ['1', '1'])
})

test('the API describes itself in OpenAPI 3.1, and every path of it is there', async () => {
  const answer = await fetch(`${server.url}/v1/openapi.json`)
  const document = (await answer.json()) as {
    openapi: string
    paths: Record<string, Record<string, { operationId: string; responses: object }>>
  }
  assert.match(document.openapi, /^3\.1\./)
  const operations = Object.values(document.paths).flatMap(path => Object.values(path))
  assert.ok(operations.length > 60)
  assert.equal(new Set(operations.map(each => each.operationId)).size, operations.length)
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(match => match[1]!)
  assert.ok(references.length > 0)
  for (const reference of new Set(references)) {
    const found = reference
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document)
    assert.ok(found, `${reference} is in the document`)
  }
})

test('the page of the API loads nothing from elsewhere', async () => {
  const page = await fetch(`${server.url}/docs`)
  assert.equal(page.status, 200)
  const html = await page.text()
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(match => new URL(match[1]!, page.url))
  assert.ok(links.length > 3)
  for (const link of links) {
    assert.equal(link.origin, server.url)
    assert.equal((await fetch(link)).status, 200, link.href)
  }
})

test('a failure is a problem document that names the thing, on the API and on the router', async () => {
  const missing = await server.api('GET', '/v1/apps/default/functions/nobody')
  assert.equal(missing.headers.get('content-type')?.split(';')[0], 'application/problem+json')
  assert.deepEqual([missing.status, missing.json.code], [404, 'NOT_FOUND'])
  assert.match(missing.json.detail, /nobody/)
  const wrong = await server.api('POST', '/v1/apps', { name: 7, more: true })
  assert.deepEqual(wrong.json.errors?.map(each => each.pointer).toSorted(), ['/more', '/name'])
  const routed = await server.call('nobody')
  assert.equal(routed.headers.get('content-type'), 'application/problem+json')
  assert.deepEqual([routed.status, routed.json.code], [404, 'NOT_FOUND'])
})

test('a backup taken while calls and deploys go on is restored to what was acknowledged before it', async t => {
  await server.deploy('saved', { 'index.mjs': `export default (_, context) => context.secrets.KEPT` }, {})
  await server.api('PUT', '/v1/secrets/KEPT', { value: 'a kept secret' })
  await server.deploy(
    'saved',
    { 'index.mjs': `export default (_, context) => context.secrets.KEPT + '!'` },
    { secrets: ['KEPT'] },
  )
  const over = new AbortController()
  const busy = (async () => {
    for (let n = 0; !over.signal.aborted; n++)
      await server.deploy('busy', { 'index.mjs': `export default () => '${n}'` })
  })()
  const folder = `${server.home}-backup`
  const saved = await server.cli('backup', folder)
  over.abort()
  await busy
  assert.equal(saved.code, 0, saved.stderr)
  const home = `${server.home}-restored`
  const restored = await server.cli('restore', folder, '--home', home, '--yes')
  assert.equal(restored.code, 0, restored.stderr)
  const second = await ServerProcess.start({ home })
  t.after(async () => {
    await second.dispose()
    const { rm } = await import('node:fs/promises')
    await rm(folder, { recursive: true, force: true })
  })
  assert.equal((await second.call('saved')).text, 'a kept secret!')
})
