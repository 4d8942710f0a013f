import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { AtelierError } from '../../src/core/index.ts'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open()
const { admin, member, reader, stranger } = fixture
after(() => fixture[Symbol.asyncDispose]())

const INVOKE = '/v1/apps/shop/functions/cart/invoke'
const CALLS = '/v1/async-invocations'
const LATER = { prefer: 'respond-async' }

/** What the function was asked. */
const seen: { method: string; path: string; body: string; headers: readonly string[] }[] = []
let answer: { status: number; body: string } | 'fail' = { status: 200, body: 'done' }

before(async () => {
  await fixture.deploy(member)
  await fixture.call('PATCH', '/v1/apps/shop/functions/cart', member, {
    body: { async: { retry: { attemptsMax: 2, delayMs: 0, jitter: 0 } } },
  })
  fixture.invoker.functions.set('cart', async call => {
    const { method, path, headers, body } = call.request
    seen.push({ method, path, headers, body: Buffer.from(body ?? []).toString() })
    if (answer === 'fail') throw new AtelierError('FUNCTION_FAILED', 'On purpose.')
    call.head(answer.status, ['content-type', 'text/html', 'set-cookie', 'a=b'])
    await call.send(Buffer.from(answer.body))
  })
})

type Call = { id: string; state: string; attempts: number; functionName: string; endedAt?: string }

const invoke = (headers: Record<string, string> = {}, url = INVOKE): Promise<LightMyRequestResponse> =>
  fixture.call('POST', url, member, { headers: { ...LATER, ...headers }, body: { order: 17 } })
const idOf = (response: LightMyRequestResponse): string => {
  assert.equal(response.statusCode, 202, response.body)
  return response.json<{ id: string }>().id
}
const ended = async (id: string): Promise<Call> =>
  (await fixture.call('GET', `${CALLS}/${id}?waitMs=10000`, reader)).json<Call>()

test('an accepted call runs, and its state and result can be had', async () => {
  const response = await invoke(
    { 'atelier-ordering-key': 'k' },
    `${INVOKE}/sub/path?qualifier=live&a=1&async=1`,
  )
  const id = idOf(response)
  assert.equal(response.headers['preference-applied'], 'respond-async')
  assert.equal(response.headers['location'], `http://127.0.0.1:1881${CALLS}/${id}`)
  const call = await ended(id)
  assert.equal(call.state, 'succeeded')
  assert.equal(call.functionName, 'cart')
  assert.ok(call.endedAt)
  const { path, body, headers } = seen.at(-1)!
  assert.equal(path, '/sub/path?a=1')
  assert.equal(body, '{"order":17}')
  assert.ok(!headers.includes('prefer') && !headers.includes('authorization'))
  const result = await fixture.call('GET', `${CALLS}/${id}/result`, reader)
  assert.equal(result.body, 'done')
  assert.equal(result.headers['atelier-result-status'], '200')
  assert.equal(result.headers['content-type'], 'text/html')
  assert.equal(result.headers['content-security-policy'], 'sandbox')
  assert.equal(result.headers['set-cookie'], undefined)
})

test('what fails is tried again, becomes a dead letter, and is redriven', async () => {
  answer = 'fail'
  const id = idOf(await invoke())
  const failed = await ended(id)
  assert.deepEqual([failed.state, failed.attempts], ['failed', 2])
  problem(await fixture.call('GET', `${CALLS}/${id}/result`, reader), 409, 'CONFLICT')
  problem(await fixture.call('POST', `${CALLS}/${id}/cancel`, member), 409, 'CONFLICT')
  problem(await fixture.call('POST', `${CALLS}/${id}/redrive`, reader), 403, 'FORBIDDEN')
  const queue = (await fixture.call('GET', '/v1/apps/shop/functions/cart/queue', reader)).json<
    Record<string, unknown>
  >()
  assert.equal(queue['deadLetters'], 1)
  assert.equal(queue['paused'], false)
  answer = { status: 200, body: 'now' }
  assert.equal((await fixture.call('POST', `${CALLS}/${id}/redrive`, member)).statusCode, 200)
  assert.equal((await ended(id)).state, 'succeeded')
  problem(await fixture.call('POST', `${CALLS}/${id}/redrive`, member), 409, 'CONFLICT')
})

test('calls are listed and filtered, page by page, and cancelled while they wait', async () => {
  const ids = []
  for (let i = 0; i < 3; i++) ids.push(idOf(await invoke({ 'atelier-delay': '1h' })))
  const list = async (query: string) =>
    (await fixture.call('GET', `${CALLS}?${query}`, reader)).json<{ items: Call[]; next?: string }>()
  const first = await list('state=queued&app=shop&function=cart&limit=2')
  assert.deepEqual(
    first.items.map(each => each.id),
    [ids[2], ids[1]],
  )
  const second = await list(`state=queued&app=shop&function=cart&limit=2&cursor=${first.next}`)
  assert.deepEqual(
    second.items.map(each => each.id),
    [ids[0]],
  )
  problem(await fixture.call('GET', `${CALLS}?function=cart`, reader), 400, 'INVALID_INPUT')
  problem(await fixture.call('GET', `${CALLS}?app=shop&function=nothing`, reader), 404, 'NOT_FOUND')
  problem(await fixture.call('GET', `${CALLS}?state=asleep`, reader), 400, 'INVALID_INPUT')

  const one = await fixture.call('POST', `${CALLS}/${ids[0]}/cancel`, member)
  assert.equal(one.json<Call>().state, 'cancelled')
  const rest = await fixture.call('POST', `${CALLS}/cancel`, member, {
    body: { app: 'shop', function: 'cart' },
  })
  assert.equal(rest.json<{ count: number }>().count, 2)
  const forgotten = await fixture.call('POST', `${CALLS}/forget`, member, { body: { states: ['cancelled'] } })
  assert.equal(forgotten.json<{ count: number }>().count, 3)
  problem(await fixture.call('GET', `${CALLS}/${ids[0]}`, reader), 404, 'NOT_FOUND')
})

test('an idempotency key makes two requests one call', async () => {
  const first = idOf(await invoke({ 'idempotency-key': 'order-17' }))
  assert.equal(idOf(await invoke({ 'idempotency-key': 'order-17' })), first)
})

test('a batch is accepted all or none', async () => {
  const path = '/v1/apps/shop/functions/cart/async-invocations'
  const calls = [{ body: { a: 1 } }, { text: 'plain', path: '/x?y=1', method: 'PUT' }, { base64: 'AAEC' }, {}]
  const accepted = await fixture.call('POST', path, member, { body: { calls } })
  assert.equal(accepted.statusCode, 202, accepted.body)
  const { items } = accepted.json<{ items: { id: string }[] }>()
  assert.equal(items.length, 4)
  for (const { id } of items) assert.equal((await ended(id)).state, 'succeeded')
  const bodies = seen.slice(-4).map(each => each.body)
  assert.deepEqual(bodies.sort(), ['', '{"a":1}', 'plain', '\0\u0001\u0002'].sort())
  for (const wrong of [
    { body: 1, text: 'x' },
    { base64: '*' },
    { base64: `${'='.repeat(900_000)}x` }, // read in the time that it takes to read it
    { path: 'no-slash' },
    { path: '/a/../b' },
    { headers: { 'bad name': 'x' } },
    { headers: { good: 'a\r\nb: c' } },
    { delayMs: 1, runAt: '2030-01-01T00:00:00Z' },
    { surprise: 1 },
  ])
    problem(await fixture.call('POST', path, member, { body: { calls: [{}, wrong] } }), 400, 'INVALID_INPUT')
  problem(await fixture.call('POST', path, member, { body: { calls: [] } }), 400, 'INVALID_INPUT')
  problem(await fixture.call('POST', path, reader, { body: { calls: [{}] } }), 403, 'FORBIDDEN')
  problem(await fixture.call('POST', path, stranger, { body: { calls: [{}] } }), 404, 'NOT_FOUND')
})

test('options that cannot be are named, and a body that is too large is refused', async () => {
  const wrong = problem(await invoke({ 'atelier-delay': 'soon' }), 400, 'INVALID_INPUT')
  assert.match(wrong.detail, /atelier-delay/)
  const large = await fixture.api.inject({
    method: 'POST',
    url: INVOKE,
    headers: { ...member.headers, ...LATER },
    payload: Buffer.alloc(6 * 1024 * 1024 + 1),
  })
  problem(large, 413, 'BODY_TOO_LARGE')
})

test("another project's calls do not exist, and nobody gets in without a token", async () => {
  const id = idOf(await invoke())
  await ended(id)
  for (const [method, url] of [
    ['GET', `${CALLS}/${id}`],
    ['GET', `${CALLS}/${id}/result`],
    ['GET', `${CALLS}/${id}/attempts`],
    ['POST', `${CALLS}/${id}/cancel`],
    ['POST', `${CALLS}/${id}/redrive`],
    ['GET', '/v1/apps/shop/functions/cart/queue'],
    ['POST', INVOKE],
  ] as const) {
    problem(await fixture.call(method, url, stranger, { headers: LATER }), 404, 'NOT_FOUND')
    problem(await fixture.call(method, url, undefined, { headers: LATER }), 401, 'UNAUTHENTICATED')
  }
  const all = (await fixture.call('GET', CALLS, stranger)).json<{ items: Call[] }>()
  assert.deepEqual(all.items, [])
  const none = await fixture.call('POST', `${CALLS}/forget`, stranger, { body: {} })
  assert.equal(none.json<{ count: number }>().count, 0)
  assert.equal((await fixture.call('GET', `${CALLS}/${id}`, admin)).statusCode, 200)
})
