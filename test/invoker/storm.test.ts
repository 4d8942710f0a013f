import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AtelierError } from '../../src/core/index.ts'
import { type Caller, TestInvoker } from '../support/calls.ts'
import { aFunction, aVersion } from '../support/fleet.ts'

/** What may happen next in a storm; `pick` chooses whom it happens to. */
type Event =
  | { readonly kind: 'call'; readonly function: number }
  | {
      readonly kind: 'answer' | 'fail' | 'leave' | 'crash' | 'violate' | 'kill' | 'deploy'
      readonly pick: number
    }
  | { readonly kind: 'pass'; readonly ms: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('call' as const), function: fc.nat(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('answer' as const, 'answer' as const, 'fail' as const, 'leave' as const),
      pick: fc.nat(100),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash' as const, 'violate' as const, 'kill' as const, 'deploy' as const),
      pick: fc.nat(100),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 50, 1_000, 40_000) }),
  },
)

const MEMORY_MIB_MAX = 512
const CONCURRENCY = 2

async function storm(events: readonly Event[]): Promise<void> {
  const platform = new TestInvoker({
    warm: 1,
    limits: { memoryMiBMax: MEMORY_MIB_MAX, instancesMax: 6 },
    cancelGraceMs: 2_000,
  })
  const open: Array<{ answer: () => void; fail: () => void }> = []
  platform.contract.onCall = call => {
    assert.ok(call.link.calls.size <= CONCURRENCY, 'an instance holds more calls than its concurrency')
    open.push(call)
  }
  platform.contract.onLoad = spec => {
    if (spec.function.name === 'f3') throw new AtelierError('FUNCTION_LOAD_FAILED', 'broken')
  }
  const numbers = [1, 1, 1, 1]
  const targetOf = (index: number) =>
    aFunction([
      aVersion({
        project: `p${index % 2}`,
        name: `f${index}`,
        number: numbers[index]!,
        limits: { concurrency: CONCURRENCY, timeoutMs: 30_000 },
        scaling: { instancesMax: 2 },
      }),
    ])
  const callers: Caller[] = []
  const left = new Set<Caller>()
  const take = <T>(from: readonly T[], pick: number): T | undefined => from[pick % Math.max(1, from.length)]

  for (const next of events) {
    if (next.kind === 'call') callers.push(platform.call(targetOf(next.function)))
    else if (next.kind === 'pass') platform.clock.advance(next.ms)
    else if (next.kind === 'answer') open.splice(next.pick % Math.max(1, open.length), 1)[0]?.answer()
    else if (next.kind === 'fail') open.splice(next.pick % Math.max(1, open.length), 1)[0]?.fail()
    else if (next.kind === 'leave') {
      const caller = take(callers, next.pick)
      if (caller) left.add(caller)
      caller?.handle.cancel()
    } else if (next.kind === 'crash') take(platform.backend.alive, next.pick)?.end({ code: 1 })
    else if (next.kind === 'violate') take(platform.contract.links, next.pick)?.close('violation')
    else if (next.kind === 'kill') {
      const instance = take(platform.pool.instances(), next.pick)
      if (instance) void platform.pool.kill(instance.id, 'the storm ended it')
    } else {
      const index = next.pick % numbers.length
      numbers[index]!++
      platform.publish(targetOf(index))
    }
    await platform.settle()
    const { memoryReservedMiB } = platform.pool.stats()
    assert.ok(memoryReservedMiB <= MEMORY_MIB_MAX, `${memoryReservedMiB} MiB are given away`)
    assert.ok(platform.backend.alive.length <= 6)
  }

  // The storm is over: all deadlines pass, and everything has an end.
  await platform.pass(200_000, 1_000)
  for (const caller of callers) {
    if (left.has(caller)) assert.ok(caller.ends <= 1)
    else assert.equal(caller.ends, 1, `a call heard ${caller.heard.join(', ') || 'nothing'}`)
  }
  assert.equal(new Set(platform.records.map(record => record.id)).size, platform.records.length)
  assert.equal(platform.invoker.inHand, 0)
  const { inFlight, waiting } = platform.pool.stats()
  assert.deepEqual({ inFlight, waiting }, { inFlight: 0, waiting: 0 })
  await platform.pool.close(0).then(() => platform.settle())
  assert.equal(platform.backend.alive.length, 0)
  assert.equal(platform.pool.stats().memoryReservedMiB, 0)
  assert.deepEqual(platform.pool.instances(), [])
}

test('whatever crashes, leaves or is deployed: every call has one end, no slot is given twice, nothing leaks', async () => {
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), storm), {
    numRuns: Number(process.env['STORMS'] ?? 25),
  })
})
