import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../src/core/index.ts'
import { createNodeFront } from '../../src/router/node/front.ts'
import { createThinFront } from '../../src/router/thin/front.ts'
import { startRouter } from './fixture.ts'

const PATH = '/acme/main/hello'
const LATER = { prefer: 'respond-async' }

for (const [name, front] of [
  ['thin', createThinFront],
  ['node', createNodeFront],
] as const) {
  test(`a call that prefers respond-async is accepted and not run (${name})`, async t => {
    const { url, queue, invoker } = await startRouter(t, { front })
    const response = await fetch(`${url}${PATH}/thing?a=1`, {
      method: 'POST',
      headers: { ...LATER, 'content-type': 'text/plain', 'atelier-ordering-key': 'k' },
      body: 'hi',
    })
    assert.equal(response.status, 202)
    assert.equal(response.headers.get('preference-applied'), 'respond-async')
    assert.equal(response.headers.get('atelier-invocation-id'), 'call-1')
    const where = 'http://127.0.0.1:1881/v1/async-invocations/call-1'
    assert.equal(response.headers.get('location'), where)
    assert.deepEqual(await response.json(), { id: 'call-1', state: 'accepted', duplicate: false, url: where })
    assert.equal(invoker.calls.length, 0)
    const [call] = queue.calls
    assert.equal(call?.path, '/thing?a=1')
    assert.equal(call?.method, 'POST')
    assert.equal(String(call?.body), 'hi')
    assert.equal(call?.orderingKey, 'k')
    assert.ok(!call?.headers.includes('prefer'))
    assert.ok(call?.headers.includes('text/plain'))
  })

  test(`a body beyond what is kept whole is 413, its length told before or not (${name})`, async t => {
    const { url, queue } = await startRouter(t, { front })
    const body = new Uint8Array(6 * 1024 * 1024 + 1)
    const known = await fetch(url + PATH, { method: 'POST', headers: LATER, body })
    assert.equal(known.status, 413)
    const streamed = await fetch(url + PATH, {
      method: 'POST',
      headers: LATER,
      body: new Blob([body]).stream(),
      duplex: 'half',
    })
    assert.equal(streamed.status, 413)
    const most = await fetch(url + PATH, { method: 'POST', headers: LATER, body: body.subarray(1) })
    assert.equal(most.status, 202)
    assert.equal(queue.calls.length, 1)
    assert.equal(queue.calls[0]?.body?.length, 6 * 1024 * 1024)
  })
}

test('?async=1 means the same, and the function does not see it', async t => {
  const { url, queue, invoker } = await startRouter(t)
  assert.equal((await fetch(`${url}${PATH}?async=1`)).status, 202)
  assert.equal((await fetch(`${url}${PATH}?a=%41&async=true&b`)).status, 202)
  assert.deepEqual(
    queue.calls.map(call => [call.path, call.body]),
    [
      ['/', null],
      ['/?a=%41&b', null],
    ],
  )
  assert.equal((await fetch(`${url}${PATH}?async=0&xasync=1`)).status, 200)
  assert.equal(invoker.last.request.path, '/?async=0&xasync=1')
})

test('other preferences pass to the function', async t => {
  const { url, invoker } = await startRouter(t)
  assert.equal((await fetch(url + PATH, { headers: { prefer: 'return=minimal' } })).status, 200)
  assert.equal(invoker.last.header('prefer'), 'return=minimal')
})

test('delay, time, keys and limits are read, and each that cannot be is named', async t => {
  const { url, queue } = await startRouter(t)
  const headers = {
    ...LATER,
    'atelier-delay': '5m',
    'atelier-max-age': '2h',
    'atelier-attempts': '7',
    'idempotency-key': 'order-17',
  }
  assert.equal((await fetch(url + PATH, { headers })).status, 202)
  const [call] = queue.calls
  assert.ok(Math.abs(call!.runAt! - Date.now() - 300_000) < 60_000)
  assert.equal(call?.maxAgeMs, 7_200_000)
  assert.equal(call?.attemptsMax, 7)
  assert.equal(call?.idempotencyKey, 'order-17')

  const wrong = await fetch(url + PATH, {
    headers: { ...LATER, 'atelier-delay': 'soon', 'atelier-run-at': 'tomorrow', 'atelier-attempts': '0' },
  })
  assert.equal(wrong.status, 400)
  const { detail } = (await wrong.json()) as { detail: string }
  for (const name of ['atelier-delay', 'atelier-run-at', 'atelier-attempts'])
    assert.match(detail, RegExp(name))
  assert.equal(queue.calls.length, 1)
})

test('a private function asks who is there before it accepts', async t => {
  const { url, queue } = await startRouter(t, { handlers: { 'private-hello': () => {} } })
  const path = '/acme/main/private-hello'
  assert.equal((await fetch(url + path, { headers: LATER })).status, 401)
  assert.equal(
    (await fetch(url + path, { headers: { ...LATER, authorization: 'Bearer reader' } })).status,
    403,
  )
  const member = { ...LATER, authorization: 'Bearer member' }
  assert.equal((await fetch(url + path, { headers: member })).status, 202)
  assert.ok(!queue.calls[0]?.headers.includes('authorization'))
})

test('a full queue is told with when to come back', async t => {
  const { url, queue } = await startRouter(t)
  queue.refusal = new AtelierError('TOO_MANY_REQUESTS', 'The queue is full.', { retryAfterS: 3 })
  const response = await fetch(url + PATH, { method: 'POST', headers: LATER, body: 'x' })
  assert.equal(response.status, 429)
  assert.equal(response.headers.get('retry-after'), '3')
})
