import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogLine, newId } from '../../src/core/index.ts'
import { FakeClock } from '../support/clock.ts'
import { aLine, anInvocation, freshPath, PROJECT, startTelemetry } from './fixture.ts'

const DAY_MS = 86_400_000

test('a record is read back whole at once after it was observed', async () => {
  const telemetry = startTelemetry()
  const full = anInvocation({
    status: 'error',
    httpStatus: 502,
    fault: 'function',
    errorCode: 'FUNCTION_CRASHED',
    errorMessage: 'it ended',
    cold: true,
    instanceId: 'i-7',
    memoryPeakBytes: 4096,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  })
  const bare = anInvocation()
  telemetry.onInvocation(full)
  telemetry.onInvocation(bare)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, full.id), full)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, bare.id), bare)
})

test("another project's record does not exist", async () => {
  const telemetry = startTelemetry()
  const record = anInvocation()
  telemetry.onInvocation(record)
  await assert.rejects(telemetry.getInvocation('project-b', record.id), { code: 'NOT_FOUND' })
  assert.deepEqual(await telemetry.listInvocations('project-b', {}, {}), { items: [], places: [] })
})

test('records are listed newest first, page by page, without gaps or repetition', async () => {
  const telemetry = startTelemetry()
  const records = Array.from({ length: 25 }, (_, i) =>
    anInvocation({ startedAt: 1_800_000_000_000 + Math.floor(i / 3) }),
  )
  for (const record of records) telemetry.onInvocation(record)
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await telemetry.listInvocations(
      PROJECT,
      {},
      { limit: 4, ...(cursor !== undefined && { cursor }) },
    )
    assert.ok(page.items.length <= 4)
    seen.push(...page.items.map(each => each.id))
    cursor = page.next
  } while (cursor !== undefined)
  const expected = records
    .toSorted((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1))
    .map(each => each.id)
  assert.deepEqual(seen, expected)
})

test('a cursor that was tampered with is refused', async () => {
  const telemetry = startTelemetry()
  await assert.rejects(telemetry.listInvocations(PROJECT, {}, { cursor: 'nonsense' }), {
    code: 'INVALID_INPUT',
    errors: [{ pointer: 'cursor', detail: 'is not a cursor of this list' }],
  })
})

test('records are filtered by app, function, version, status and time', async () => {
  const telemetry = startTelemetry()
  const at = 1_800_000_000_000
  const one = anInvocation({ startedAt: at })
  const two = anInvocation({ startedAt: at + 10, status: 'timeout', version: 2 })
  const three = anInvocation({
    startedAt: at + 20,
    appName: 'other',
    functionName: 'bye',
    functionId: 'function-b',
  })
  for (const record of [one, two, three]) telemetry.onInvocation(record)
  const ids = async (filter: Parameters<typeof telemetry.listInvocations>[1]) =>
    (await telemetry.listInvocations(PROJECT, filter, {})).items.map(each => each.id)
  assert.deepEqual(await ids({ status: 'timeout' }), [two.id])
  assert.deepEqual(await ids({ version: 1 }), [three.id, one.id])
  assert.deepEqual(await ids({ appName: 'demo' }), [two.id, one.id])
  assert.deepEqual(await ids({ appName: 'other', functionName: 'bye' }), [three.id])
  assert.deepEqual(await ids({ functionId: 'function-b' }), [three.id])
  assert.deepEqual(await ids({ sinceMs: at + 10, untilMs: at + 20 }), [two.id])
})

test('logs are the newest that match, oldest first', async () => {
  const telemetry = startTelemetry()
  const at = Date.now()
  for (let i = 0; i < 10; i++) telemetry.onLog(aLine({ text: `line ${i}`, version: i % 2, at: at + i }))
  telemetry.onLog(aLine({ text: 'of a call', invocationId: 'call-1', stream: 'stderr', at: at + 100 }))
  const texts = async (filter: Parameters<typeof telemetry.listLogs>[1], limit = 100) =>
    (await telemetry.listLogs(PROJECT, filter, limit)).map(each => each.text)
  assert.deepEqual(await texts({ functionId: 'function-a' }, 3), ['line 8', 'line 9', 'of a call'])
  assert.deepEqual(await texts({ invocationId: 'call-1' }), ['of a call'])
  assert.deepEqual(await texts({ functionId: 'function-a', version: 0 }, 2), ['line 6', 'line 8'])
  assert.deepEqual(await texts({ functionId: 'function-a', sinceMs: at + 9 }), ['line 9', 'of a call'])
  assert.deepEqual(await texts({ sinceMs: at + 1, untilMs: at + 3 }), ['line 1', 'line 2'])
  assert.deepEqual(await texts({ functionId: 'function-a', contains: 'e 3' }), ['line 3'])
  assert.deepEqual(await telemetry.listLogs('project-b', { functionId: 'function-a' }, 10), [])
})

test('listing and following in one tick misses no line and repeats none', async () => {
  const telemetry = startTelemetry()
  const followed: string[] = []
  for (let i = 0; i < 5; i++) telemetry.onLog(aLine({ text: String(i) }))
  const stop = telemetry.followLogs(
    PROJECT,
    { functionId: 'function-a' },
    line => void followed.push(line.text),
  )
  const listing = telemetry.listLogs(PROJECT, { functionId: 'function-a' }, 100)
  for (let i = 5; i < 10; i++) telemetry.onLog(aLine({ text: String(i) }))
  const listed = (await listing).map(each => each.text)
  await new Promise(resolve => setImmediate(resolve))
  stop()
  telemetry.onLog(aLine({ text: 'after the end' }))
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([...listed, ...followed], ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
})

test('who stops to follow twice ends nobody else’s following', async () => {
  const telemetry = startTelemetry()
  const filter = { functionId: 'function-a' }
  const stop = telemetry.followLogs(PROJECT, filter, () => {})
  stop()
  const heard: string[] = []
  const stopSecond = telemetry.followLogs(PROJECT, filter, line => void heard.push(line.text))
  stop()
  telemetry.onLog(aLine({ text: 'still heard' }))
  await new Promise(resolve => setImmediate(resolve))
  stopSecond()
  assert.deepEqual(heard, ['still heard'])
})

test('a follower hears only of its project and what its filter asks for', async () => {
  const telemetry = startTelemetry()
  const heard: string[] = []
  telemetry.followLogs(
    PROJECT,
    { functionId: 'function-a', contains: 'yes' },
    line => void heard.push(line.text),
  )
  telemetry.onLog(aLine({ text: 'yes' }))
  telemetry.onLog(aLine({ text: 'no' }))
  telemetry.onLog(aLine({ text: 'yes, but not ours', projectId: 'project-b' }))
  telemetry.onLog(aLine({ text: 'yes, but another', functionId: 'function-b' }))
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(heard, ['yes'])
})

test('a slow follower loses lines, is told how many, and holds nobody up', async () => {
  const telemetry = startTelemetry({ limits: { logBytesPerFlushMax: 1e9 } })
  const heard: LogLine[] = []
  const gate = Promise.withResolvers<void>()
  telemetry.followLogs(PROJECT, {}, async line => {
    heard.push(line)
    await gate.promise
  })
  telemetry.onLog(aLine({ text: 'first' }))
  await new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 1_500; i++) telemetry.onLog(aLine({ text: String(i) }))
  gate.resolve()
  while (heard.length < 1_002) await new Promise(resolve => setImmediate(resolve))
  assert.equal(heard.length, 1_002)
  assert.equal(heard.at(-1)?.stream, 'platform')
  assert.match(heard.at(-1)?.text ?? '', /^500 lines are missing/)
})

test('usage sums calls by function and UTC day, without the refused', async () => {
  const telemetry = startTelemetry()
  const day = Date.UTC(2026, 10, 2)
  telemetry.onInvocation(anInvocation({ startedAt: day, billedMs: 10 }))
  telemetry.onInvocation(anInvocation({ startedAt: day + DAY_MS - 1, billedMs: 5, status: 'error' }))
  telemetry.onInvocation(anInvocation({ startedAt: day + 5, billedMs: 0, status: 'refused' }))
  await telemetry.usage(PROJECT, { fromMs: day, toMs: day + DAY_MS }) // a batch of its own before the next
  telemetry.onInvocation(anInvocation({ startedAt: day + 1, billedMs: 1 }))
  telemetry.onInvocation(anInvocation({ startedAt: day + DAY_MS, billedMs: 7 }))
  const rows = await telemetry.usage(PROJECT, { fromMs: day, toMs: day + DAY_MS })
  assert.deepEqual(
    rows.map(row => ({ ...row })),
    [
      {
        day: '2026-11-02',
        functionId: 'function-a',
        appName: 'demo',
        functionName: 'hello',
        calls: 3,
        errors: 1,
        billedMs: 16,
        memoryMiBMs: 16 * 128,
        bytesIn: 30,
        bytesOut: 60,
      },
    ],
  )
  assert.equal((await telemetry.usage(PROJECT, { fromMs: day, toMs: day + 2 * DAY_MS })).length, 2)
  assert.deepEqual(await telemetry.usage('project-b', { fromMs: 0, toMs: day + DAY_MS }), [])
})

test('what waits is written when it closes, and is there after a restart', async () => {
  const path = freshPath()
  const first = startTelemetry({ path })
  const record = anInvocation()
  first.onInvocation(record)
  first.onLog(aLine({ text: 'kept' }))
  await first.close()
  const folder = join(path, PROJECT)
  for (const each of [folder, ...readdirSync(folder).map(name => join(folder, name))])
    assert.equal(statSync(each).mode & 0o077, 0, each)
  const second = startTelemetry({ path })
  assert.deepEqual(await second.getInvocation(PROJECT, record.id), record)
  assert.equal((await second.listLogs(PROJECT, {}, 10)).length, 1)
})

test('records beyond the queue are dropped and counted', async () => {
  const telemetry = startTelemetry({ limits: { recordsWaitingMax: 10 } })
  for (let i = 0; i < 25; i++) telemetry.onInvocation(anInvocation())
  assert.deepEqual(telemetry.counts(), { recordsDropped: 15, linesDropped: 0, waiting: 10 })
  assert.equal((await telemetry.listInvocations(PROJECT, {}, {})).items.length, 10)
  assert.equal(telemetry.counts().waiting, 0)
  telemetry.onInvocation(anInvocation())
  assert.equal((await telemetry.listInvocations(PROJECT, {}, {})).items.length, 11)
})

test("a function that floods its log loses its own lines, not another function's", async () => {
  const telemetry = startTelemetry({ limits: { logBytesPerFlushMax: 10_000 } })
  for (let i = 0; i < 1_000; i++) telemetry.onLog(aLine({ text: 'x'.repeat(100), functionId: 'loud' }))
  telemetry.onLog(aLine({ text: 'still here', functionId: 'quiet' }))
  assert.deepEqual(
    (await telemetry.listLogs(PROJECT, { functionId: 'quiet' }, 10)).map(each => each.text),
    ['still here'],
  )
  const loud = await telemetry.listLogs(PROJECT, { functionId: 'loud' }, 1_000)
  assert.equal(loud.length, 61)
  assert.match(loud.at(-1)?.text ?? '', /^940 lines are missing/)
  assert.equal(telemetry.counts().linesDropped, 940)
})

test('what is older than it may be is removed', async () => {
  const clock = new FakeClock()
  const telemetry = startTelemetry({ clock, retention: { ageMs: DAY_MS } })
  const old = anInvocation({ startedAt: clock.now() - 2 * DAY_MS })
  const young = anInvocation({ startedAt: clock.now() })
  telemetry.onInvocation(old)
  telemetry.onInvocation(young)
  telemetry.onLog(aLine({ at: clock.now() - 2 * DAY_MS, text: 'old' }))
  telemetry.onLog(aLine({ at: clock.now(), text: 'young' }))
  const { items } = await telemetry.listInvocations(PROJECT, {}, {})
  assert.deepEqual(
    items.map(each => each.id),
    [young.id],
  )
  const lines = await telemetry.listLogs(PROJECT, {}, 10)
  assert.deepEqual(
    lines.map(each => each.text),
    ['young'],
  )
  assert.equal((await telemetry.usage(PROJECT, { fromMs: 0, toMs: clock.now() })).length, 2)
})

test('attempts of one call have records of their own, and the newest stands for the call', async () => {
  const telemetry = startTelemetry()
  const first = anInvocation({
    attempt: 1,
    heldMs: 12.5,
    status: 'error',
    httpStatus: 500,
    errorCode: 'FUNCTION_FAILED',
  })
  const second = { ...first, attempt: 2, heldMs: 3, startedAt: first.startedAt + 60_000 }
  const direct = anInvocation()
  for (const each of [first, second, direct]) telemetry.onInvocation(each)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, first.id), second)
  assert.deepEqual(await telemetry.listAttempts(PROJECT, first.id), [first, second])
  assert.deepEqual(await telemetry.listAttempts(PROJECT, direct.id), [])
  assert.deepEqual(await telemetry.listAttempts('project-b', first.id), [])
  const listed: (number | undefined)[] = []
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await telemetry.listInvocations(PROJECT, {}, { limit: 1, ...(cursor && { cursor }) })
    listed.push(...page.items.map(({ attempt }) => attempt))
    cursor = page.next
    more = cursor !== undefined
  }
  assert.deepEqual(new Set(listed), new Set([1, 2, undefined]))
  assert.equal(listed.length, 3)
})

test('an attempt is kept by when it ran, not by when its call was accepted', async () => {
  const clock = new FakeClock()
  const telemetry = startTelemetry({ clock, retention: { ageMs: 7 * DAY_MS } })
  const acceptedAt = clock.now() - 30 * DAY_MS
  const late = anInvocation({ id: newId(acceptedAt), attempt: 1, heldMs: 0, startedAt: clock.now() })
  telemetry.onInvocation(late)
  assert.equal((await telemetry.getInvocation(PROJECT, late.id)).attempt, 1)
  clock.advance(DAY_MS)
  await new Promise(resolve => setTimeout(resolve, 50)) // the thread tidies up
  assert.equal((await telemetry.getInvocation(PROJECT, late.id)).attempt, 1)
})
