import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Cloud, form, zip } from './cloud.ts'

test('code is read from the object store with the caller\u2019s own token, and from nowhere else', async t => {
  const objects = new Map([['/v1/AUTH_here/fns/a%20b/one.zip', zip('x = 1')]])
  const asked: (readonly [string, string])[] = []
  const store = createServer((request, response) => {
    asked.push([request.url!, String(request.headers['x-auth-token'])])
    const found = objects.get(request.url!)
    if (request.url!.endsWith('/moved.zip'))
      response.writeHead(302, { location: '/v1/AUTH_here/fns/a%20b/one.zip' })
    else response.writeHead(found ? 200 : 404)
    response.end(found)
  })
  store.listen(0, '127.0.0.1')
  await once(store, 'listening')
  t.after(() => store.close())
  const { port } = store.address() as AddressInfo
  const cloud = await Cloud.open(t, {
    qinling: { endpoint: '', swiftUrl: `http://127.0.0.1:${port}/v1/AUTH_here/`, executionDays: 90 },
  })
  const runtime = await cloud.runtime()
  const codeOf = (object: string, container = 'fns') =>
    JSON.stringify({ source: 'swift', swift: { container, object } })
  const make = (object: string, container?: string) => ({
    form: form({ runtime_id: runtime, code: codeOf(object, container) }),
  })
  const made = await cloud.must(201, 'POST', '/v1/functions', make('a b/one.zip'))
  assert.deepEqual(made.json.code, { source: 'swift', swift: { container: 'fns', object: 'a b/one.zip' } })
  assert.deepEqual(asked.at(-1), ['/v1/AUTH_here/fns/a%20b/one.zip', cloud.blue])
  const path = `/v1/functions/${made.json.id}`
  const response = await fetch(`${cloud.at.url}${path}?download=true`, {
    headers: { 'x-auth-token': cloud.blue },
  })
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), zip('x = 1'))

  const failed = 'Failed to validate object in Swift.'
  for (const object of ['missing.zip', 'moved.zip', '../../../v3/auth/tokens', '..'])
    await cloud.refused(400, failed, 'POST', '/v1/functions', make(object))
  await cloud.refused(400, failed, 'POST', '/v1/functions', make('one.zip', '..'))
  assert.ok(asked.every(([url]) => url.startsWith('/v1/AUTH_here/fns/')))
  await cloud.refused(
    400,
    'Either container or object must be provided for swift type function update.',
    'PUT',
    path,
    { form: form({ code: '{"source":"swift"}' }) },
  )
  await cloud.refused(400, failed, 'PUT', path, {
    form: form({ code: '{"swift":{"object":"missing.zip"}}' }),
  })
  objects.set('/v1/AUTH_here/fns/two.zip', zip('x = 2'))
  const moved = await cloud.must(200, 'PUT', path, { form: form({ code: '{"swift":{"object":"two.zip"}}' }) })
  assert.equal(moved.json.code.swift.object, 'two.zip')
  // What the command line sends, which the API does not have.
  await cloud.must(200, 'PUT', path, { form: form({ source: 'swift', swift: 'container' }) })
})
