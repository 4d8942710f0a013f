import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { type Invocation, newId, systemClock } from '../../src/core/index.ts'
import type { InvocationFilter } from '../../src/telemetry/index.ts'
import { FIRST_NUMBER, segmentName } from '../../src/telemetry/segment.ts'
import { FakeClock } from '../support/clock.ts'
import { aLine, anInvocation, freshPath, PROJECT, startTelemetry } from './fixture.ts'

const DAY_MS = 86_400_000
const NIGHTLY_HOOK = { trigger: 'webhook', triggerName: 'nightly' }
const SMALL = 2 * 1024 ** 2 // 64 segments of 32 KiB

test('pages of records are what a plain list would give, whatever the order in which calls ended', async () => {
  const call = fc.record({
    tookMs: fc.oneof(fc.nat(50), fc.nat(100_000)),
    project: fc.constantFrom('a', 'b'),
    functionId: fc.constantFrom('f', 'g', 'h'),
    version: fc.integer({ min: 1, max: 2 }),
    status: fc.constantFrom('ok' as const, 'error' as const),
    cause: fc.constantFrom(
      {},
      { trigger: 'schedule' },
      { trigger: 'schedule', triggerName: 'nightly' },
      NIGHTLY_HOOK,
    ),
    attempt: fc.constantFrom(0, 0, 0, 1, 2),
    copies: fc.constantFrom(1, 1, 5, 60), // enough for several segments
  })
  const filter = fc.record(
    {
      functionId: fc.constantFrom('f', 'g'),
      version: fc.constantFrom(1, 2),
      status: fc.constantFrom('ok' as const, 'error' as const),
      trigger: fc.constantFrom('http', 'schedule', 'webhook'),
      triggerName: fc.constantFrom('nightly', 'daily'),
      sinceMs: fc.nat(60_000),
      untilMs: fc.nat(60_000),
    },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { maxLength: 40 }),
      fc.array(filter, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 30 }),
      async (calls, filters, limit, perFlush) => {
        const clock = new FakeClock()
        const startMs = clock.now()
        const telemetry = startTelemetry({
          clock,
          retention: { bytesMax: SMALL },
          limits: { flushCount: perFlush },
        })
        const model: Invocation[] = []
        for (const { tookMs, project, functionId, version, status, cause, attempt, copies } of calls)
          for (let i = 0; i < copies; i++) {
            clock.advance(17)
            const startedAt = Math.max(startMs - 1_000, clock.now() - tookMs)
            const more = attempt === 0 ? {} : { attempt, heldMs: 0 }
            const change = { projectId: project, functionId, version, status, startedAt, ...cause, ...more }
            const record = anInvocation(change)
            telemetry.onInvocation(record)
            model.push(record)
          }
        for (const each of filters) {
          const asked: InvocationFilter = {
            ...each,
            ...(each.sinceMs !== undefined && { sinceMs: startMs + each.sinceMs }),
            ...(each.untilMs !== undefined && { untilMs: startMs + each.untilMs }),
          }
          const listed: Invocation[] = []
          let cursor: string | undefined
          do {
            const page = await telemetry.listInvocations('a', asked, { limit, ...(cursor && { cursor }) })
            assert.ok(page.items.length <= limit)
            listed.push(...page.items)
            cursor = page.next
          } while (cursor !== undefined)
          const expected = model.filter(
            record =>
              record.projectId === 'a' &&
              (each.functionId === undefined || record.functionId === each.functionId) &&
              (each.version === undefined || record.version === each.version) &&
              (each.status === undefined || record.status === each.status) &&
              (each.trigger === undefined || record.trigger === each.trigger) &&
              (each.triggerName === undefined || record.triggerName === each.triggerName) &&
              record.startedAt >= (asked.sinceMs ?? 0) &&
              record.startedAt < (asked.untilMs ?? Number.POSITIVE_INFINITY),
          )
          // Ids of one millisecond have no order in time, and those of attempts are the telemetry's own.
          assert.deepEqual(
            listed.map(({ startedAt }) => startedAt),
            expected.map(({ startedAt }) => startedAt).sort((a, b) => b - a),
          )
          assert.deepEqual(sorted(listed), sorted(expected))
        }
        for (const record of model.slice(0, 3)) {
          const known = await telemetry.getInvocation(record.projectId, record.id)
          assert.deepEqual(known, record)
        }
        await telemetry.close()
      },
    ),
    { numRuns: 15 },
  )
})

function sorted(records: readonly Invocation[]): readonly Invocation[] {
  return records.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** What the version before triggers' names wrote: a call over HTTP, then an attempt of another's schedule. */
const EARLIER = [
  'vVI7TsNAEHVukJJ6RDlIXhsr1jYk6SigokGRhcx6Yxtnd83uOl8iKmpOwBU4BCfgKJQpkRUnASmREBK8Zmbem6d9K03vqk9eWo7z',
  '2nKcm6PrhwUwVUkL1EMQuQQKLhGMBTrupEnppzLUY8Omtz4LpoAg4unXlWx2N+8UgR7O7mUqCzsBhCw2PWu5KK0BanXFEYyqNOMG',
  '6GABw0oymyt5ngDdDicxIMRleRkLDhQSLhTgVm3YjI9GNT3m2uRKAiUIggulZxd5HyjxQgSr8zTlut62toQl/t+DhmU8qUYclhHC',
  'ROmk/i8AgiogQjCVqImBi54b+j4SdNFDUo8RDsgeNlo63/Bx5vwIeXfXP789kXl/3b8f8K82fONbPa7rcTOfNpV295j3YJPzF3nb',
  'f5l3k6e91Q+f+uEL3ymB0KUI3SA2pU3DtPgE',
]

test('segments of an earlier version are read, and newer records stand beside them', async () => {
  const clock = new FakeClock()
  const path = freshPath()
  const folder = join(path, PROJECT)
  mkdirSync(folder, { recursive: true })
  const name = segmentName('records', FIRST_NUMBER, clock.now())
  writeFileSync(join(folder, name), inflateRawSync(Buffer.from(EARLIER.join(''), 'base64')))
  const telemetry = startTelemetry({ path, clock })
  const newer = anInvocation({ startedAt: clock.now(), trigger: 'schedule', triggerName: 'nightly' }, clock)
  telemetry.onInvocation(newer)
  const [first, second, third] = (await telemetry.listInvocations(PROJECT, {}, {})).items
  assert.deepEqual(first, newer)
  assert.deepEqual(second, await telemetry.getInvocation(PROJECT, '01mcc5ra7h5mrpm805asptg8gk'))
  assert.deepEqual([second?.trigger, second?.attempt, second?.heldMs], ['schedule', 1, 4])
  assert.deepEqual([third?.trigger, third?.status, third?.runningMs], ['http', 'ok', 1.5])
  assert.ok(!('triggerName' in second))
  const of = async (filter: InvocationFilter) =>
    (await telemetry.listInvocations(PROJECT, filter, {})).items.map(({ id }) => id)
  assert.deepEqual(await of({ trigger: 'schedule' }), [newer.id, second?.id])
  assert.deepEqual(await of({ triggerName: 'nightly' }), [newer.id])
})

test('a project that floods its records and logs loses its own oldest, and nobody else anything', async () => {
  const path = freshPath()
  const telemetry = startTelemetry({ path, retention: { bytesMax: SMALL } })
  const quiet = anInvocation({ projectId: 'quiet' })
  telemetry.onInvocation(quiet)
  telemetry.onLog(aLine({ projectId: 'quiet', text: 'once' }))
  const first = anInvocation({ projectId: 'loud' })
  telemetry.onInvocation(first)
  telemetry.onLog(aLine({ projectId: 'loud', text: 'the first' }))
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 250; i++) {
      telemetry.onInvocation(anInvocation({ projectId: 'loud' }))
      telemetry.onLog(aLine({ projectId: 'loud', text: `${round} ${'x'.repeat(100)}` }))
    }
    await telemetry.listInvocations('loud', {}, { limit: 1 })
    await telemetry.listLogs('loud', {}, 1)
  }
  await until(() => sizeOf(path) <= SMALL)
  await assert.rejects(telemetry.getInvocation('loud', first.id), { code: 'NOT_FOUND' })
  assert.deepEqual(await telemetry.listLogs('loud', { contains: 'the first' }, 1), [])
  assert.match((await telemetry.listLogs('loud', {}, 1))[0]?.text ?? '', /^99 /)
  assert.ok((await telemetry.listInvocations('loud', {}, { limit: 1_000 })).items.length === 1_000)
  assert.deepEqual(await telemetry.getInvocation('quiet', quiet.id), quiet)
  assert.equal((await telemetry.listLogs('quiet', {}, 10)).length, 1)
  // What is billed outlives the records: none was counted twice, and none not at all.
  const [sum] = await telemetry.usage('loud', { fromMs: Date.now() - DAY_MS, toMs: Date.now() + DAY_MS })
  assert.equal(sum?.calls, 25_001)
  assert.ok(readdirSync(join(path, 'loud')).some(name => name.startsWith('folded-')))
})

test('what is too old is removed from the disk, and its sums stay', async () => {
  const clock = new FakeClock()
  const path = freshPath()
  const first = startTelemetry({ path, clock, retention: { ageMs: DAY_MS } })
  first.onInvocation(anInvocation({ startedAt: clock.now() }))
  first.onLog(aLine({ at: clock.now() }))
  await first.close()
  const dayMs = clock.now()
  clock.advance(3 * DAY_MS)
  const second = startTelemetry({ path, clock, retention: { ageMs: DAY_MS, usageAgeMs: 5 * DAY_MS } })
  await second.ready
  clock.advance(3_600_000)
  await until(() => !readdirSync(join(path, PROJECT)).some(name => /^(records|logs)-/.test(name)))
  const usage = () => second.usage(PROJECT, { fromMs: dayMs, toMs: dayMs + DAY_MS })
  assert.equal((await usage())[0]?.calls, 1)
  // Numbers go on: what is new must not be taken for what was folded.
  second.onInvocation(anInvocation({ startedAt: clock.now() }))
  assert.equal((await second.usage(PROJECT, { fromMs: 0, toMs: clock.now() + DAY_MS })).length, 2)
  clock.advance(5 * DAY_MS)
  await until(async () => (await usage()).length === 0)
})

test('the end of a file that a crash has cut off or spoiled costs no more than itself', async () => {
  const path = freshPath()
  const first = startTelemetry({ path })
  const whole = anInvocation()
  first.onInvocation(whole)
  await first.getInvocation(PROJECT, whole.id)
  const cut = anInvocation()
  first.onInvocation(cut)
  await first.close()
  const folder = join(path, PROJECT)
  const file = join(folder, readdirSync(folder)[0]!)
  const bytes = readFileSync(file)
  for (const spoiled of [
    bytes.subarray(0, -1),
    bytes.subarray(0, bytes.length / 2 + 20),
    Buffer.concat([bytes.subarray(0, -10), Buffer.alloc(10, 0xee)]),
  ]) {
    writeFileSync(file, spoiled)
    const telemetry = startTelemetry({ path })
    assert.deepEqual(await telemetry.getInvocation(PROJECT, whole.id), whole)
    await assert.rejects(telemetry.getInvocation(PROJECT, cut.id), { code: 'NOT_FOUND' })
    const next = anInvocation()
    telemetry.onInvocation(next)
    assert.deepEqual(await telemetry.getInvocation(PROJECT, next.id), next)
    await telemetry.close()
    for (const name of readdirSync(folder)) if (join(folder, name) !== file) rmSync(join(folder, name))
  }
  appendFileSync(file, 'no block at all')
})

test('a write that fails is counted and told, leaves nothing behind, and the next goes well', async () => {
  const path = freshPath()
  const told: string[] = []
  const telemetry = startTelemetry({ path, onProblem: message => told.push(message) })
  writeFileSync(path, 'a file where the folder should be')
  telemetry.onInvocation(anInvocation())
  telemetry.onLog(aLine())
  await assert.rejects(telemetry.listLogs(PROJECT, {}, 1), { code: 'UNAVAILABLE' })
  await until(() => telemetry.counts().recordsDropped + telemetry.counts().linesDropped === 2)
  assert.equal(told.length, 2)
  rmSync(path)
  const next = anInvocation()
  telemetry.onInvocation(next)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, next.id), next)
})

test('a call is found long after it began, and so are the lines of one', async () => {
  const clock = new FakeClock()
  const telemetry = startTelemetry({ clock, retention: { bytesMax: SMALL } })
  const long = anInvocation({ startedAt: clock.now() })
  const early = anInvocation({ startedAt: clock.now() })
  telemetry.onInvocation(early)
  telemetry.onLog(aLine({ at: clock.now(), invocationId: early.id, text: 'early' }))
  for (let i = 0; i < 1_000; i++) {
    clock.advance(1_000)
    telemetry.onInvocation(anInvocation({ startedAt: clock.now() }))
    telemetry.onLog(aLine({ at: clock.now(), invocationId: newId(clock.now()), text: 'another call' }))
    if (i % 50 === 0) await telemetry.listInvocations(PROJECT, {}, { limit: 1 })
  }
  telemetry.onInvocation(long)
  telemetry.onLog(aLine({ at: clock.now(), invocationId: early.id, text: 'late' }))
  assert.deepEqual(await telemetry.getInvocation(PROJECT, long.id), long)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, early.id), early)
  const lines = await telemetry.listLogs(PROJECT, { invocationId: early.id }, 10)
  assert.deepEqual(
    lines.map(({ text }) => text),
    ['early', 'late'],
  )
  const { items } = await telemetry.listInvocations(PROJECT, { untilMs: early.startedAt + 1 }, {})
  assert.deepEqual(sorted(items), sorted([early, long]))
})

test('names of projects that could lead elsewhere stay within the folder', async () => {
  const path = freshPath()
  const telemetry = startTelemetry({ path, clock: systemClock })
  const record = anInvocation({ projectId: '../../escape' })
  telemetry.onInvocation(record)
  assert.deepEqual(await telemetry.getInvocation('../../escape', record.id), record)
  assert.match(readdirSync(path).join(), /^~[0-9a-f]{64}$/)
})

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 10))
}

function sizeOf(path: string): number {
  let bytes = 0
  for (const project of readdirSync(path))
    for (const name of readdirSync(join(path, project)))
      if (!name.startsWith('usage'))
        bytes += statSync(join(path, project, name), { throwIfNoEntry: false })?.size ?? 0
  return bytes
}
