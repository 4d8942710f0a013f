import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerOf, TriggersFixture } from './fixture.ts'

test('a schedule makes a call at each of its times', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2026-11-02T02:59:58.000Z')
  const { id } = await fixture.create('nightly', { cron: '0 3 * * *', data: { table: 'orders' } })
  assert.deepEqual(fixture.triggers.status(id).nextAt?.slice(0, 2), [
    Date.parse('2026-11-02T03:00:00.000Z'),
    Date.parse('2026-11-03T03:00:00.000Z'),
  ])
  await fixture.advance(1_999, 500)
  assert.equal(fixture.calls.taken.length, 0)
  await fixture.advance(1)
  assert.equal(fixture.calls.taken.length, 1)
  const { call } = fixture.calls.taken[0]!
  assert.deepEqual(
    [call.trigger, call.triggerName, call.method, call.path, Buffer.from(call.body!).toString()],
    ['schedule', 'nightly', 'POST', '/', '{"table":"orders"}'],
  )
  assert.equal(headerOf(call.headers, 'content-type'), 'application/json')
  assert.equal(headerOf(call.headers, 'atelier-event-time'), '2026-11-02T03:00:00.000Z')
  const status = fixture.triggers.status(id)
  assert.deepEqual(
    [status.state, status.accepted, status.lastCallId],
    ['active', 1, fixture.calls.taken[0]!.id],
  )
  await fixture.advance(86_400_000, 3_600_000)
  assert.deepEqual(fixture.plannedTimes, ['2026-11-02T03:00:00.000Z', '2026-11-03T03:00:00.000Z'])
})

test('a paused schedule makes no calls, and none for the time that it was paused', async () => {
  await using fixture = await TriggersFixture.open()
  const { id } = await fixture.create('each-minute', { cron: '@every 1m' })
  await fixture.advance(60_000, 1_000)
  assert.equal(fixture.calls.taken.length, 1)
  await fixture.control.control.updateTrigger(fixture.by, 'each-minute', { paused: true })
  await fixture.advance(605_000, 5_000)
  assert.deepEqual([fixture.calls.taken.length, fixture.triggers.status(id).state], [1, 'paused'])
  await fixture.control.control.updateTrigger(fixture.by, 'each-minute', { paused: false })
  await fixture.settle()
  assert.equal(fixture.calls.taken.length, 1)
  await fixture.advance(60_000, 1_000)
  assert.equal(fixture.calls.taken.length, 2)
})
