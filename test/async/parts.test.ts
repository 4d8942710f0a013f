import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { EventClock } from '../../src/async/event-clock.ts'
import { nextAhead } from '../../src/async/lanes.ts'
import { type Failure, failureOf, isFailureStatus, nextStep } from '../../src/async/retry.ts'
import { createWebhooks } from '../../src/async/webhook.ts'
import { ASYNC_SETTINGS_DEFAULT, AtelierError, createAddressPolicy } from '../../src/core/index.ts'
import { FakeClock } from '../support/clock.ts'

const FAILED: Failure = { kind: 'error', code: 'FUNCTION_FAILED', message: 'failed' }
const CALL = { failures: 0, firstDueAt: 0, attemptsMax: undefined, maxAgeMs: undefined }

test('waits grow by the factor up to their limit, and chance spreads them around it', () => {
  const settings = { ...ASYNC_SETTINGS_DEFAULT, retry: { ...ASYNC_SETTINGS_DEFAULT.retry, attemptsMax: 20 } }
  const waitMs = (failures: number, chance: number): number => {
    const step = nextStep({ ...CALL, failures }, { status: 0, failure: FAILED }, settings, 0, 0, chance)
    assert.equal(step.kind, 'again')
    return step.kind === 'again' ? step.waitMs : 0
  }
  assert.deepEqual(
    [0, 1, 2, 3, 12].map(failures => waitMs(failures, 0.5)),
    [1_000, 2_000, 4_000, 8_000, 300_000],
  )
  assert.deepEqual(
    [0, 0.25, 1].map(chance => waitMs(0, chance)),
    [800, 900, 1_200],
  )
})

test('a call ends by its answer, its last attempt, its policy, or when the next attempt would come too late', () => {
  const step = (change: Partial<typeof CALL>, failure: Failure | undefined, ageNow = 0): string => {
    const next = nextStep(
      { ...CALL, ...change },
      { status: 0, failure },
      ASYNC_SETTINGS_DEFAULT,
      ageNow,
      1,
      0.5,
    )
    return next.kind === 'end' ? next.state : next.isCounted ? 'again' : 'not counted'
  }
  assert.equal(step({}, undefined), 'succeeded')
  assert.equal(step({}, FAILED), 'again')
  assert.equal(step({ failures: 2 }, FAILED), 'failed')
  assert.equal(step({ failures: 2 }, { ...FAILED, kind: 'platform' }), 'not counted')
  assert.equal(step({}, { ...FAILED, isFinal: true }), 'failed')
  assert.equal(step({}, FAILED, ASYNC_SETTINGS_DEFAULT.maxAgeMs - 999), 'expired')
})

test('failures are named by whose they are', () => {
  const kinds = (
    ['FUNCTION_FAILED', 'NOT_FOUND', 'FUNCTION_TIMEOUT', 'FUNCTION_OUT_OF_MEMORY', 'UNAVAILABLE'] as const
  ).map(code => failureOf(new AtelierError(code, '')).kind)
  assert.deepEqual(kinds, ['error', 'error', 'timeout', 'crash', 'platform'])
  assert.deepEqual(
    [200, 302, 400, 404, 408, 425, 429, 500, 599].filter(isFailureStatus),
    [408, 425, 429, 500, 599],
  )
})

test('after a jump of the clock what was due stays due, and nothing has grown old', () => {
  const clock = new FakeClock()
  const time = new EventClock(clock)
  const start = clock.now()
  clock.jump(-3_600_000)
  assert.equal(time.dueNow(), start)
  clock.advance(1_000)
  assert.equal(time.dueNow(), start + 1_000)
  clock.jump(2 * 3_600_000)
  assert.equal(time.dueNow(), clock.now())
  assert.ok(time.ageNow() <= start + 1_000)
  clock.advance(5_000)
  assert.ok(time.ageNow() <= start + 6_000)
})

test('leases are held ahead of a function that waits for them, up to a bound, and left to others when it is slow', () => {
  let ahead = 1
  for (let i = 0; i < 30; i++) ahead = nextAhead(ahead, true, 0)
  assert.equal(ahead, 2_000)
  assert.equal(nextAhead(ahead, false, ahead / 2), ahead)
  for (let i = 0; i < 100; i++) ahead = nextAhead(ahead, false, ahead)
  assert.equal(ahead, 1)
})

test('a webhook gets the event as JSON, and must take it', async t => {
  const seen: { request: IncomingMessage; body: string }[] = []
  const server = createServer((request, response) => {
    void text(request).then(body => {
      seen.push({ request, body })
      response.writeHead(request.url === '/no' ? 500 : request.url === '/elsewhere' ? 302 : 204).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const event = { id: 'e1', source: '/s', type: 't', extensions: {} }
  const deliver = createWebhooks(createAddressPolicy({ local: true }))
  await deliver(`${url}/hook`, event)
  assert.equal(seen[0]!.request.headers['content-type'], 'application/cloudevents+json')
  assert.equal((JSON.parse(seen[0]!.body) as { id: string }).id, 'e1')
  await assert.rejects(deliver(`${url}/no`, event), { code: 'UNAVAILABLE', message: /500/ })
  await assert.rejects(deliver(`${url}/elsewhere`, event), {
    code: 'UNAVAILABLE',
    message: /302/,
  })
  for (const target of [
    url,
    `http://localhost:${(server.address() as AddressInfo).port}/`,
    'http://[::1]:1/',
  ])
    await assert.rejects(createWebhooks(createAddressPolicy())(target, event), { code: 'FORBIDDEN' })
  const managed = createWebhooks(createAddressPolicy({ local: true, deny: ['127.0.0.0/8'] }))
  await assert.rejects(managed(url, event), { code: 'FORBIDDEN', message: /source-deny/ })
  await assert.rejects(deliver('http://no-such-host.invalid/', event), { code: 'UNAVAILABLE' })
  for (const wrong of ['ftp://example.org/', 'nonsense'])
    await assert.rejects(deliver(wrong, event), { code: 'FORBIDDEN' })
  assert.equal(seen.length, 3)
})
