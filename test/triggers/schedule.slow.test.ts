import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../src/core/index.ts'
import { createTriggers, storedStates, type Triggers } from '../../src/triggers/index.ts'
import { headerOf, TriggersFixture } from './fixture.ts'

const HOUR_MS = 3_600_000

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

test('what was planned while the server was away is made up for as the schedule says', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2026-11-02T09:30:00.000Z')
  const missed = ['skip', 'once', 'all'] as const
  for (const each of missed) await fixture.create(each, { cron: '0 * * * *', missed: each })
  await fixture.advance(HOUR_MS, 60_000)
  assert.equal(fixture.calls.taken.length, 3)
  await fixture.stopTriggers()
  fixture.clock.nowMs += 5 * HOUR_MS
  await fixture.startTriggers()
  await fixture.advance(1_000)
  const runsOf = (name: string) =>
    fixture.calls.taken
      .filter(({ call }) => call.triggerName === name)
      .map(({ call }) => headerOf(call.headers, 'atelier-event-time')?.slice(11, 16))
  assert.deepEqual(missed.map(runsOf), [
    ['10:00'],
    ['10:00', '15:00'],
    ['10:00', '11:00', '12:00', '13:00', '14:00', '15:00'],
  ])
})

test('counters, the last call and the count of runs survive a restart', async () => {
  await using fixture = await TriggersFixture.open()
  const { id } = await fixture.create('thrice', { every: '1m', count: 3 })
  await fixture.advance(120_000, 10_000)
  await fixture.stopTriggers()
  await fixture.startTriggers()
  const before = fixture.triggers.status(id)
  assert.deepEqual([before.accepted, before.lastCallId], [2, fixture.calls.taken[1]!.id])
  assert.deepEqual([before.nextAt?.length, before.details?.['runs']], [1, 2])
  await fixture.advance(600_000, 10_000)
  const status = fixture.triggers.status(id)
  assert.deepEqual([status.state, status.accepted, status.nextAt], ['ended', 3, []])
})

test('a one-shot runs once, and is ended also after a restart', async () => {
  await using fixture = await TriggersFixture.open()
  const at = new Date(fixture.clock.now() + 90_000).toISOString()
  const { id } = await fixture.create('once', { at })
  await fixture.advance(89_999, 30_000)
  assert.equal(fixture.calls.taken.length, 0)
  await fixture.advance(1)
  assert.equal(fixture.calls.taken.length, 1)
  await fixture.stopTriggers()
  await fixture.startTriggers()
  await fixture.advance(HOUR_MS, 60_000)
  assert.deepEqual([fixture.calls.taken.length, fixture.triggers.status(id).state], [1, 'ended'])
})

test('a run that meets the one before follows the overlap rule', async () => {
  await using fixture = await TriggersFixture.open()
  const rules = ['allow', 'skip', 'queue', 'cancel'] as const
  for (const overlap of rules) await fixture.create(overlap, { every: '1m', overlap })
  const callsOf = (name: string) => fixture.calls.taken.filter(({ call }) => call.triggerName === name)
  await fixture.advance(4 * 60_000, 10_000)
  assert.deepEqual(
    rules.map(rule => callsOf(rule).length),
    [4, 1, 2, 4],
  )
  assert.deepEqual(
    callsOf('cancel').map(each => each.state),
    ['cancelled', 'cancelled', 'cancelled', 'queued'],
  )
  // One that waits runs after the one that runs.
  const [first, second] = callsOf('queue')
  assert.ok(first!.call.orderingKey !== undefined && first!.call.orderingKey === second!.call.orderingKey)
  assert.equal(callsOf('allow')[0]!.call.orderingKey, undefined)

  for (const each of fixture.calls.taken) each.state = 'succeeded'
  await fixture.advance(60_000, 10_000)
  assert.deepEqual(
    rules.map(rule => callsOf(rule).length),
    [5, 2, 3, 5],
  )
})

test('what an overlap rule left out is counted', async () => {
  await using fixture = await TriggersFixture.open()
  const { id } = await fixture.create('busy', { every: '1m', overlap: 'skip' })
  await fixture.advance(3 * 60_000, 10_000)
  const { accepted, filtered, details } = fixture.triggers.status(id)
  assert.deepEqual([accepted, filtered, details?.['skipped']], [1, 2, 2])
})

test('two nodes that both run a schedule make one call of each run', async () => {
  await using fixture = await TriggersFixture.open()
  const other = await otherNode(fixture)
  const { id } = await fixture.create('shared', { every: '1m', jitterMs: 5_000 })
  await fixture.advance(10 * 60_000, 1_000)
  const both = [fixture.triggers.status(id), other.status(id)]
  assert.equal(new Set(fixture.plannedTimes).size, fixture.calls.taken.length)
  assert.ok(fixture.calls.taken.length >= 9)
  const sum = (key: 'accepted' | 'duplicates') => both[0]![key] + both[1]![key]
  assert.deepEqual(
    [sum('accepted'), sum('duplicates')],
    [fixture.calls.taken.length, fixture.calls.taken.length],
  )
  await other.close()
})

test('a node that does not lead makes no runs, and takes over without losing one', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.isLeader = false
  await fixture.create('led', { every: '20s' })
  await fixture.advance(10 * 60_000, 1_000)
  assert.equal(fixture.calls.taken.length, 0)
  fixture.isLeader = true
  await fixture.advance(30_000, 1_000)
  // What the old leader may have left undone in the last minute is offered again: the queue knows what it has.
  const planned = fixture.plannedTimes.map(time => Date.parse(time))
  assert.ok(planned.length >= 2 && fixture.clock.now() - planned[0]! <= 95_000, String(planned))
  for (const [i, at] of planned.entries()) if (i > 0) assert.equal(at - planned[i - 1]!, 20_000)
})

test('who takes the lead goes on from what the one before has kept', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.isLeader = false
  const other = await otherNode(fixture)
  await fixture.create('thrice', { every: '10m', count: 3 })
  await fixture.advance(21 * 60_000, 10_000)
  assert.equal(fixture.calls.taken.length, 2)
  await other.close()
  fixture.isLeader = true
  await fixture.triggers.lead()
  await fixture.advance(60 * 60_000, 10_000)
  assert.equal(fixture.calls.taken.length, 3)
  assert.equal(new Set(fixture.plannedTimes).size, 3)
})

test('a run that the queue refuses is tried again, and its error is shown until then', async () => {
  await using fixture = await TriggersFixture.open()
  const { id } = await fixture.create('stubborn', { every: '10m' })
  fixture.calls.refusal = new AtelierError('TOO_MANY_REQUESTS', 'The queue is full.', { retryAfterS: 5 })
  await fixture.advance(10 * 60_000 + 3_000, 1_000)
  const failing = fixture.triggers.status(id)
  assert.deepEqual([failing.state, failing.lastError, failing.accepted], ['failing', 'The queue is full.', 0])
  fixture.calls.refusal = undefined
  await fixture.advance(10_000, 1_000)
  assert.deepEqual([fixture.triggers.status(id).state, fixture.calls.taken.length], ['active', 1])
})

test('a clock that jumps ahead makes up for what it skipped; one that is set back waits, or begins anew', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2026-11-02T09:30:00.000Z')
  await fixture.create('hourly', { cron: '0 * * * *' })
  const hours = () => fixture.plannedTimes.map(time => time.slice(11, 16))
  await fixture.advance(30 * 60_000, 60_000)
  assert.deepEqual(hours(), ['10:00'])
  fixture.clock.jump(3 * HOUR_MS) // 13:00
  await fixture.advance(1_000)
  assert.deepEqual(hours(), ['10:00', '13:00'])
  fixture.clock.jump(-2 * HOUR_MS) // 11:00: what was run is not run again
  await fixture.advance(2 * HOUR_MS - 60_000, 60_000)
  assert.deepEqual(hours(), ['10:00', '13:00'])
  await fixture.advance(HOUR_MS + 60_000, 60_000) // 14:00
  assert.deepEqual(hours(), ['10:00', '13:00', '14:00'])
  fixture.clock.jump(-30 * 24 * HOUR_MS) // it was wrong by a month
  await fixture.advance(HOUR_MS, 60_000)
  assert.equal(fixture.calls.taken.length, 4)
})

test('a schedule on a night when the clock changes runs as its zone says, waited out minute by minute', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2027-03-27T22:00:00.000Z')
  await fixture.create('backup', { cron: '30 2 * * *', zone: 'Europe/Berlin' })
  await fixture.create('half-hourly', { cron: '*/30 * * * *', zone: 'Europe/Berlin' })
  await fixture.advance(4.25 * HOUR_MS, 60_000)
  const timesOf = (name: string) =>
    fixture.calls.taken
      .filter(({ call }) => call.triggerName === name)
      .map(({ acceptedAt }) => new Date(acceptedAt).toISOString().slice(11, 16))
  assert.deepEqual(timesOf('backup'), ['01:00'])
  assert.deepEqual(timesOf('half-hourly'), [
    '22:30',
    '23:00',
    '23:30',
    '00:00',
    '00:30',
    '01:00',
    '01:30',
    '02:00',
  ])
})

test('a text goes out as it is, with its type', async () => {
  await using fixture = await TriggersFixture.open()
  await fixture.create('csv', { every: '1m', text: 'a,b\n1,2', contentType: 'text/csv' })
  await fixture.create('plain', { every: '1m' })
  await fixture.advance(60_000, 10_000)
  const [csv, plain] = fixture.calls.taken
  assert.deepEqual(
    [headerOf(csv!.call.headers, 'content-type'), Buffer.from(csv!.call.body!).toString()],
    ['text/csv', 'a,b\n1,2'],
  )
  assert.deepEqual(JSON.parse(Buffer.from(plain!.call.body!).toString()), {
    trigger: 'plain',
    plannedAt: new Date(fixture.clock.now()).toISOString(),
  })
})

test('two thousand schedules of one second are all run, each once', async () => {
  await using fixture = await TriggersFixture.open()
  const { table } = fixture.control
  const { id } = await fixture.create('one', { cron: '0 0 * * *' })
  const one = table.eventTriggers.get(id)!
  table.publish(
    Array.from({ length: 2_000 }, (_, i) => {
      const value = { ...one, id: `many${i}`, name: `many${i}`, config: { ...one.config, cron: '* * * * *' } }
      return { kind: 'eventTrigger' as const, id: value.id, value }
    }),
  )
  await fixture.settle()
  for (let seconds = 0; seconds < 61 && fixture.calls.taken.length < 2_000; seconds++) {
    await fixture.advance(1_000)
    for (let i = 0; i < 30; i++) await fixture.advance(0.001)
  }
  assert.equal(fixture.calls.taken.length, 2_000)
  assert.equal(new Set(fixture.calls.taken.map(({ call }) => call.idempotencyKey)).size, 2_000)
})

test('a crowd of one moment is accepted before it, to run at it', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2026-11-02T02:59:00.000Z')
  for (let i = 0; i < 250; i++) await fixture.create(`crowd-${i}`, { cron: '0 3 * * *' })
  await fixture.create('one', { cron: '0 3 * * *', overlap: 'skip' })
  await fixture.advance(59_000, 1_000)
  const due = Date.parse('2026-11-02T03:00:00.000Z')
  assert.equal(fixture.calls.taken.length, 250)
  assert.ok(fixture.calls.taken.every(({ call }) => call.runAt === due))
  await fixture.advance(2_000, 500)
  assert.equal(fixture.calls.taken.length, 251)
  assert.equal(fixture.calls.taken.at(-1)!.call.triggerName, 'one')
  await fixture.advance(86_400_000, HOUR_MS / 2)
  assert.equal(fixture.calls.taken.length, 501) // the call of "one" has not ended, so its next is left out
})

test('what was accepted before its time is called off by a pause, made again by a resume, and stays when the server stops', async () => {
  await using fixture = await TriggersFixture.open()
  fixture.clock.nowMs = Date.parse('2026-11-02T02:59:00.000Z')
  for (let i = 0; i < 250; i++) await fixture.create(`crowd-${i}`, { cron: '0 3 * * *', count: 5 })
  await fixture.advance(58_000, 1_000)
  const callsOf = (name: string) => fixture.calls.taken.filter(({ call }) => call.triggerName === name)
  const { control } = fixture.control
  for (const name of ['crowd-7', 'crowd-8']) await control.updateTrigger(fixture.by, name, { paused: true })
  await control.deleteTrigger(fixture.by, 'crowd-9')
  await fixture.settle()
  for (const name of ['crowd-7', 'crowd-8', 'crowd-9'])
    assert.deepEqual(
      callsOf(name).map(each => each.state),
      ['cancelled'],
    )
  await control.updateTrigger(fixture.by, 'crowd-7', { paused: false })
  await fixture.settle()
  await fixture.stopTriggers()
  assert.equal(callsOf('crowd-1')[0]!.state, 'queued')
  await fixture.startTriggers()
  await fixture.advance(5_000, 500)
  const counts = ['crowd-1', 'crowd-7', 'crowd-8', 'crowd-9'].map(name => callsOf(name).length)
  assert.deepEqual(counts, [1, 2, 1, 1])
  assert.equal(callsOf('crowd-7').at(-1)!.state, 'queued')
})

/** Triggers of another node on the same database, which leads always. */
async function otherNode(fixture: TriggersFixture): Promise<Triggers> {
  const triggers = createTriggers({
    table: fixture.control.table,
    kinds: fixture.kinds,
    async: fixture.calls.engine,
    invoker: fixture.invoker,
    states: storedStates(fixture.store, fixture.clock),
    clock: fixture.clock,
    onProblem: () => {},
  })
  await triggers.start()
  return triggers
}
