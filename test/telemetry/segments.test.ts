import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Invocation, newId, systemClock } from '../../src/core/index.ts'
import type { InvocationFilter } from '../../src/telemetry/index.ts'
import { FakeClock } from '../support/clock.ts'
import { aLine, anInvocation, freshPath, PROJECT, startTelemetry } from './fixture.ts'

const DAY_MS = 86_400_000
const SMALL = 2 * 1024 ** 2 // 64 segments of 32 KiB

test('pages of records are what a plain list would give, whatever the order in which calls ended', async () => {
  const call = fc.record({
    tookMs: fc.oneof(fc.nat(50), fc.nat(100_000)),
    project: fc.constantFrom('a', 'b'),
    functionId: fc.constantFrom('f', 'g', 'h'),
    version: fc.integer({ min: 1, max: 2 }),
    status: fc.constantFrom('ok' as const, 'error' as const),
    attempt: fc.constantFrom(0, 0, 0, 1, 2),
    copies: fc.constantFrom(1, 1, 5, 60), // enough for several segments
  })
  const filter = fc.record(
    {
      functionId: fc.constantFrom('f', 'g'),
      version: fc.constantFrom(1, 2),
      status: fc.constantFrom('ok' as const, 'error' as const),
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
        for (const { tookMs, project, functionId, version, status, attempt, copies } of calls)
          for (let i = 0; i < copies; i++) {
            clock.advance(17)
            const startedAt = Math.max(startMs - 1_000, clock.now() - tookMs)
            const more = attempt === 0 ? {} : { attempt, heldMs: 0 }
            const change = { projectId: project, functionId, version, status, startedAt, ...more }
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
