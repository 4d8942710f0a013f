import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../../src/core/index.ts'
import { aLine, anInvocation } from '../telemetry/fixture.ts'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open({ heartbeatMs: 20, followersMax: 2 })
const { member, reader, stranger } = fixture
const url = await fixture.listen()
after(() => fixture[Symbol.asyncDispose]())
await fixture.deploy(member, { name: 'cart' })
const { projectId } = member.principal
const functionId = (await fixture.call('GET', '/v1/apps/shop/functions/cart', member)).json<{ id: string }>()
  .id
const LOGS = '/v1/apps/shop/functions/cart/logs'
const line = (text: string, change = {}) => aLine({ projectId, functionId, text, ...change })
const texts = (body: string) =>
  body
    .split('\n')
    .filter(Boolean)
    .map(one => (JSON.parse(one) as { text: string }).text)

test('logs are NDJSON, the newest that match, oldest first', async () => {
  const invocationId = newId(Date.now())
  for (const text of ['a', 'b', 'c']) fixture.telemetry.onLog(line(text))
  fixture.telemetry.onLog(line('of a call', { invocationId, at: Date.UTC(2031, 0) }))
  const all = await fixture.call('GET', LOGS, reader)
  assert.match(String(all.headers['content-type']), /^application\/x-ndjson/)
  assert.deepEqual(texts(all.body), ['a', 'b', 'c', 'of a call'])
  assert.match(all.body, /"at":"2031-01-01T00:00:00.000Z"/)
  assert.deepEqual(texts((await fixture.call('GET', `${LOGS}?limit=2`, reader)).body), ['c', 'of a call'])
  assert.deepEqual(texts((await fixture.call('GET', `${LOGS}?invocation=${invocationId}`, reader)).body), [
    'of a call',
  ])
  assert.deepEqual(texts((await fixture.call('GET', `${LOGS}?since=2030-12-31`, reader)).body), ['of a call'])
  assert.deepEqual(texts((await fixture.call('GET', `${LOGS}?until=2030-12-31`, reader)).body), [
    'a',
    'b',
    'c',
  ])
  assert.deepEqual(texts((await fixture.call('GET', `${LOGS}?contains=b`, reader)).body), ['b'])
  problem(await fixture.call('GET', `${LOGS}?since=yesterday`, reader), 400, 'INVALID_INPUT')
  const ofCall = await fixture.call('GET', `/v1/invocations/${invocationId}/logs`, reader)
  assert.equal(ofCall.json<{ items: { text: string }[] }>().items[0]?.text, 'of a call')
  problem(await fixture.call('GET', '/v1/invocations/nothing/logs', reader), 404, 'NOT_FOUND')
})

async function follow(query = '') {
  const abort = new AbortController()
  const answer = await fetch(`${url}${LOGS}?follow=true${query}`, {
    headers: member.headers,
    signal: abort.signal,
  })
  const stream =
    answer.status === 200 ? answer.body!.pipeThrough(new TextDecoderStream()).getReader() : undefined
  let text = ''
  return {
    status: answer.status,
    leave: () => abort.abort(),
    async until(wanted: (text: string) => boolean): Promise<string> {
      while (!wanted(text)) {
        const { value, done } = await stream!.read()
        if (done) break
        text += value
      }
      return text
    },
  }
}

test('following gives the past, then each line as it comes, and blank lines in between', async () => {
  fixture.telemetry.onLog(line('before'))
  const follower = await follow('&limit=1')
  await follower.until(text => text.includes('before'))
  fixture.telemetry.onLog(line('live 1'))
  await follower.until(text => text.includes('live 1'))
  const quiet = await follower.until(text => text.endsWith('\n\n\n'))
  assert.deepEqual(texts(quiet), ['before', 'live 1'])
  fixture.telemetry.onLog(line("another function's", { functionId: 'other' }))
  fixture.telemetry.onLog(line('live 2'))
  assert.deepEqual(texts(await follower.until(text => text.includes('live 2'))), [
    'before',
    'live 1',
    'live 2',
  ])
  follower.leave()
})

test('only so many logs are followed at once, and one that leaves makes room', async () => {
  const one = await follow('&limit=0')
  const two = await follow('&limit=0')
  const three = await fetch(`${url}${LOGS}?follow=true`, { headers: member.headers })
  assert.equal(three.status, 429)
  await three.body?.cancel()
  one.leave()
  let status = 429
  while (status === 429) {
    await sleep(10)
    const again = await follow('&limit=0')
    status = again.status
    if (status === 200) again.leave()
  }
  two.leave()
})

test('calls are listed, filtered and shown; those of another project do not exist', async () => {
  const earlierMs = Date.now() - 2 * 86_400_000
  const laterMs = Date.now() - 86_400_000
  const record = anInvocation({
    projectId,
    functionId,
    appName: 'shop',
    functionName: 'cart',
    startedAt: earlierMs,
  })
  const failed = anInvocation({
    ...record,
    id: newId(Date.now()),
    trigger: 'schedule',
    triggerName: 'nightly',
    status: 'error',
    startedAt: laterMs,
  })
  fixture.telemetry.onInvocation(record)
  fixture.telemetry.onInvocation(failed)
  const ids = async (query: string) =>
    (await fixture.call('GET', `/v1/invocations${query}`, reader))
      .json<{ items: { id: string }[] }>()
      .items.map(each => each.id)
  assert.deepEqual(await ids(''), [failed.id, record.id])
  assert.deepEqual(await ids('?status=error'), [failed.id])
  assert.deepEqual(await ids(`?app=shop&function=cart&until=${new Date(laterMs).toISOString()}`), [record.id])
  assert.deepEqual(await ids('?app=none'), [])
  assert.deepEqual(await ids('?trigger=http'), [record.id])
  assert.deepEqual(await ids('?trigger=schedule&triggerName=nightly'), [failed.id])
  assert.deepEqual(await ids('?triggerName=nightly'), [failed.id])
  assert.deepEqual(await ids('?trigger=webhook&triggerName=nightly'), [])
  problem(await fixture.call('GET', '/v1/invocations?function=cart', reader), 400, 'INVALID_INPUT')
  problem(await fixture.call('GET', '/v1/invocations?status=fine', reader), 400, 'INVALID_INPUT')
  problem(await fixture.call('GET', '/v1/invocations?cursor=zzz', reader), 400, 'INVALID_INPUT')
  const named = await fixture.call('GET', `/v1/invocations/${failed.id}`, reader)
  assert.equal(named.json<{ triggerName: string }>().triggerName, 'nightly')
  const shown = await fixture.call('GET', `/v1/invocations/${record.id}`, reader)
  assert.deepEqual(shown.json(), { ...record, startedAt: new Date(earlierMs).toISOString() })
  problem(await fixture.call('GET', `/v1/invocations/${record.id}`, stranger), 404, 'NOT_FOUND')
})

test('usage is summed by function and day, also when the records are no longer kept', async () => {
  for (const day of [1, 2]) {
    const of = { projectId, functionId, appName: 'shop', functionName: 'cart' }
    fixture.telemetry.onInvocation(anInvocation({ ...of, startedAt: Date.UTC(2026, 5, day) }))
  }
  const days = async (query: string) =>
    (await fixture.call('GET', `/v1/usage${query}`, reader)).json<{
      items: { day: string; calls: number }[]
    }>().items
  const june = '?from=2026-06-01&to=2026-06-03'
  assert.deepEqual(
    (await days(june)).map(each => [each.day, each.calls]),
    [
      ['2026-06-01', 1],
      ['2026-06-02', 1],
    ],
  )
  assert.equal((await days(`${june}&app=shop&function=cart`)).length, 2)
  assert.equal((await days(`${june}&function=none`)).length, 0)
  problem(await fixture.call('GET', '/v1/usage?from=2026-06-03&to=2026-06-01', reader), 400, 'INVALID_INPUT')
  problem(await fixture.call('GET', '/v1/usage?from=soon', reader), 400, 'INVALID_INPUT')
})

test('a log that cannot be read breaks off, and harms nobody else', async t => {
  t.mock.method(fixture.telemetry, 'listLogs', () => Promise.reject(new Error('not now')))
  await assert.rejects(async () => {
    const answer = await fetch(`${url}${LOGS}?follow=true`, { headers: member.headers })
    if (answer.status !== 200) throw new Error(await answer.text())
    await answer.text()
  })
  assert.equal((await fixture.call('GET', '/v1/whoami', member)).statusCode, 200)
})

test('the server can close while logs are followed', async () => {
  const follower = await follow('&limit=0')
  const closing = fixture.api.close()
  await follower.until(() => false)
  await closing
})
