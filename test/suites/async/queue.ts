import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AsyncOptions } from '../../../src/async/index.ts'
import { aCall, type SettingsChange, TestQueue } from '../../support/async.ts'
import type { FreshStore } from '../async.ts'

const HOUR_MS = 3_600_000

/** Who comes when, who may not come, and what the queue holds. */
export function asyncQueue(fresh: FreshStore): void {
  const open = async (
    t: TestContext,
    options: Partial<AsyncOptions> & { settings?: SettingsChange } = {},
  ): Promise<TestQueue> => {
    const queue = await TestQueue.open(await fresh(), options)
    t.after(() => queue.calls.close())
    return queue
  }

  describe('the queue', () => {
    test('no more calls of a function run at once than it allows, and the next begins when one has ended', async t => {
      const queue = await open(t, { settings: { concurrencyMax: 2 } })
      const ids = (await queue.calls.accept([aCall(), aCall(), aCall(), aCall(), aCall()])).map(
        ({ id }) => id,
      )
      await queue.until(() => queue.invoker.attempts.length === 2)
      await queue.settle()
      assert.equal(queue.invoker.running.length, 2)
      for (let ended = 0; ended < 5; ended++) {
        await queue.until(() => queue.invoker.running.length > 0)
        assert.ok(queue.invoker.running.length <= 2)
        queue.invoker.running[0]!.answer()
      }
      for (const id of ids) assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal(queue.invoker.attempts.length, 5)
    })

    test('a long queue of one function delays nobody else', async t => {
      const queue = await open(t, { limits: { leasedMax: 10 }, settings: { concurrencyMax: 1_000 } })
      await queue.calls.accept(Array.from({ length: 200 }, () => aCall()))
      await queue.until(() => queue.invoker.attempts.length >= 10)
      const id = await queue.accept({ name: 'g' })
      await queue.until(() => queue.invoker.of(id).length === 1)
      assert.ok(queue.invoker.running.length < 200)
    })

    test('a call that fails waits beside the others, not before them', async t => {
      const queue = await open(t, { settings: { concurrencyMax: 1 } })
      queue.invoker.script = attempt =>
        attempt.body === 'poison' ? attempt.fail('FUNCTION_CRASHED') : attempt.answer()
      const poison = await queue.accept({ body: Buffer.from('poison') })
      const others = await queue.calls.accept(Array.from({ length: 20 }, () => aCall()))
      for (const { id } of others) assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal((await queue.get(poison)).state, 'queued')
      assert.equal((await queue.get(poison)).lastFailure?.kind, 'crash')
    })

    test('calls with one ordering key run one after the other as they were accepted, others beside them', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => {
        if (attempt.body === 'a1' && attempt.request.attempt!.number < 3) attempt.fail('FUNCTION_FAILED')
        else if (attempt.body !== 'hello') attempt.answer()
      }
      const bodies = ['a0', 'a1', 'a2', 'b0', 'a3', 'b1']
      const ids = await queue.calls.accept(
        bodies.map(body => aCall({ body: Buffer.from(body), orderingKey: body[0]! })),
      )
      const late = await queue.accept({ body: Buffer.from('a4'), orderingKey: 'a' })
      const last = ids[3]!.id
      await queue.calls.wait('p', last, 10_000)
      await queue.until(async () => (await queue.get(ids[1]!.id)).attempts === 1)
      await queue.settle()
      assert.equal((await queue.get(ids[2]!.id)).state, 'queued')
      for (let i = 0; (await queue.get(late)).endedAt === undefined; i++) {
        assert.ok(i < 20)
        await queue.pass(2_000)
      }
      const seen = queue.invoker.attempts.map(({ body }) => body)
      assert.deepEqual(
        seen.filter(body => body.startsWith('a')),
        ['a0', 'a1', 'a1', 'a1', 'a2', 'a3', 'a4'],
      )
      assert.deepEqual(
        seen.filter(body => body.startsWith('b')),
        ['b0', 'b1'],
      )
    })

    test('a cancelled or failed call lets the next one of its key go on', async t => {
      const queue = await open(t, { settings: { paused: true } })
      const [first, second, third] = await queue.calls.accept(
        ['1', '2', '3'].map(body => aCall({ body: Buffer.from(body), orderingKey: 'k' })),
      )
      assert.equal((await queue.calls.cancel('p', first!.id)).state, 'cancelled')
      queue.invoker.script = attempt =>
        attempt.body === '2' ? attempt.fail('FUNCTION_FAILED') : attempt.answer()
      queue.publish('f', { retry: { attemptsMax: 1 } })
      assert.equal((await queue.calls.wait('p', second!.id, 10_000)).state, 'failed')
      assert.equal((await queue.calls.wait('p', third!.id, 10_000)).state, 'succeeded')
    })

    test('a second call with an idempotency key is the first one, until the window has passed', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.answer()
      const call = aCall({ idempotencyKey: 'once', idempotencyWindowMs: HOUR_MS })
      const together = await queue.calls.accept([call, call])
      assert.deepEqual(
        together.map(({ duplicate }) => duplicate),
        [false, true],
      )
      const { id } = together[0]!
      assert.equal(together[1]!.id, id)
      await queue.calls.wait('p', id, 10_000)
      const atOnce = await Promise.all(Array.from({ length: 5 }, () => queue.calls.accept([call])))
      assert.ok(atOnce.every(([each]) => each!.id === id && each!.duplicate))
      const [other] = await queue.calls.accept([{ ...call, functionId: 'p/g' }])
      assert.notEqual(other!.id, id)
      await queue.pass(HOUR_MS)
      const [later] = await queue.calls.accept([call])
      assert.ok(later!.id !== id && !later!.duplicate)
      await queue.calls.wait('p', later!.id, 10_000)
      assert.equal(queue.invoker.attempts.length, 3)
      assert.deepEqual([queue.calls.counters.queued, queue.calls.counters.running], [0, 0])
    })

    test('a call with a time of its own runs then, and not before', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.answer()
      const id = await queue.accept({ runAt: queue.clock.now() + 10_000 })
      await queue.settle()
      assert.deepEqual(await queue.calls.queue('p', 'p/f'), {
        queued: 1,
        running: 0,
        delayed: 1,
        deadLetters: 0,
      })
      await queue.pass(9_999, 3_333)
      assert.equal(queue.invoker.attempts.length, 0)
      await queue.pass(1)
      assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal(queue.invoker.attempts[0]!.request.attempt!.heldMs, 0)
    })

    test('a paused function keeps what comes, runs it when it goes on, and tells how long it was held', async t => {
      const queue = await open(t, { settings: { paused: true } })
      queue.invoker.script = attempt => attempt.answer()
      const id = await queue.accept()
      await queue.pass(HOUR_MS, HOUR_MS / 4)
      assert.equal((await queue.get(id)).state, 'queued')
      assert.deepEqual(await queue.calls.queue('p', 'p/f'), {
        queued: 1,
        running: 0,
        delayed: 0,
        deadLetters: 0,
        oldestDueAt: queue.clock.now() - HOUR_MS,
      })
      queue.publish('f')
      assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal(queue.invoker.attempts[0]!.request.attempt!.heldMs, HOUR_MS)
    })

    test('what grows older than it may expires, whether it waits for another attempt or for a paused function', async t => {
      const queue = await open(t, { settings: { maxAgeMs: HOUR_MS } })
      queue.publish('g', { maxAgeMs: HOUR_MS, paused: true })
      queue.invoker.script = attempt => attempt.fail('FUNCTION_FAILED')
      const tooLate = await queue.accept({ maxAgeMs: 500 })
      assert.equal((await queue.calls.wait('p', tooLate, 10_000)).state, 'expired')
      const paused = await queue.accept({ name: 'g' })
      const own = await queue.accept({ name: 'g', maxAgeMs: 60_000 })
      await queue.pass(70_000, 10_000)
      await queue.until(async () => (await queue.get(own)).state === 'expired')
      assert.equal((await queue.get(paused)).state, 'queued')
      await queue.pass(HOUR_MS, HOUR_MS / 10)
      await queue.until(async () => (await queue.get(paused)).state === 'expired')
      await queue.until(() => queue.calls.counters.queued === 0)
    })

    test('when the platform has no room the attempt does not count, and it is not asked in a circle', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.fail('TOO_MANY_REQUESTS')
      const ids = (await queue.calls.accept(Array.from({ length: 10 }, () => aCall()))).map(({ id }) => id)
      await queue.pass(30_000, 100)
      const refused = queue.invoker.attempts.length
      assert.ok(refused < 100, `${refused} attempts in half a minute`)
      assert.equal((await queue.get(ids[0]!)).attempts, 0)
      assert.equal((await queue.get(ids[0]!)).lastFailure?.kind, 'platform')
      queue.invoker.script = attempt => attempt.answer()
      await queue.pass(300_000, 5_000)
      for (const id of ids)
        assert.deepEqual([(await queue.get(id)).state, (await queue.get(id)).attempts], ['succeeded', 1])
    })

    test('more is leased ahead while calls end faster than the disk takes it, and a slow function keeps none of it', async t => {
      const queue = await open(t, { settings: { concurrencyMax: 2 } })
      await queue.calls.accept(Array.from({ length: 500 }, () => aCall()))
      await queue.until(() => queue.invoker.running.length === 2)
      await queue.settle()
      // Two run, and one is ready for whoever ends first.
      assert.equal((await queue.calls.queue('p', 'p/f')).running, 3)
      let most = 0
      queue.invoker.script = attempt => attempt.answer()
      for (const each of queue.invoker.running) each.answer()
      await queue.until(async () => {
        const { queued, running } = await queue.calls.queue('p', 'p/f')
        most = Math.max(most, running)
        return queued + running === 0
      })
      assert.ok(most > 3, `${most} leases at most`)
      assert.equal(queue.invoker.attempts.length, 500)
    })

    test('answers that wait for the disk are bounded: beyond half of what they may take, nothing more begins', async t => {
      const queue = await open(t, {
        settings: { concurrencyMax: 4 },
        limits: { resultBytesInHandMax: 200_000 },
      })
      let most = 0
      queue.invoker.script = attempt => {
        most = Math.max(most, queue.invoker.attempts.length - queue.ended.length)
        attempt.answer('x'.repeat(60_000))
      }
      const ids = (await queue.calls.accept(Array.from({ length: 60 }, () => aCall()))).map(({ id }) => id)
      for (const id of ids) {
        const call = await queue.calls.wait('p', id, 10_000)
        assert.deepEqual([call.state, call.attempts, call.resultBytes], ['succeeded', 1, 60_000])
      }
      // Two are as much as may wait; the others had begun by then.
      assert.ok(most <= 2 + 4, `${most} answers at once`)
    })

    test('a project has bounds of its own in number and bytes, and says how much it holds', async t => {
      const queue = await open(t, { settings: { paused: true } })
      await queue.accept({ body: Buffer.alloc(900) })
      const { bytes } = queue.calls.usage('p')
      assert.ok(bytes >= 900 && bytes < 1_000, `${bytes} with the head`)
      await queue.calls.cancelMany('p', {})
      queue.table.publish([
        {
          kind: 'project',
          id: 'p',
          value: { id: 'p', name: 'p', enabled: true, queuedCallsMax: 2, queuedBytesMax: 2 * bytes },
        },
      ])
      await queue.accept({ body: Buffer.alloc(900) })
      await assert.rejects(queue.accept({ body: Buffer.alloc(901) }), {
        code: 'TOO_MANY_REQUESTS',
        message: new RegExp(`${bytes} bytes, and may have ${2 * bytes}`),
      })
      await queue.accept({ body: Buffer.alloc(900) })
      assert.deepEqual(queue.calls.usage('p'), { queued: 2, bytes: 2 * bytes })
      await assert.rejects(queue.accept(), { code: 'TOO_MANY_REQUESTS', message: /may have 2/ })
      await queue.calls.cancelMany('p', {})
      assert.deepEqual(queue.calls.usage('p'), { queued: 0, bytes: 0 })
    })

    test('the queue has bounds in number and bytes, and room again when calls have ended', async t => {
      const queue = await open(t, {
        settings: { paused: true },
        limits: { queuedPerProjectMax: 3, bytesMax: 1_000 },
      })
      await queue.calls.accept([aCall(), aCall(), aCall({ name: 'g' })])
      await assert.rejects(queue.accept(), { code: 'TOO_MANY_REQUESTS', message: /Project "p" has 3/ })
      assert.equal(await queue.calls.cancelMany('p', { functionId: 'p/f' }), 2)
      await assert.rejects(queue.accept({ body: Buffer.alloc(999) }), { code: 'STORAGE_FULL' })
      await assert.rejects(queue.accept({ headers: ['x-long', 'v'.repeat(999)] }), { code: 'STORAGE_FULL' })
      await queue.accept({ body: Buffer.alloc(900) })
      await assert.rejects(queue.accept({ body: Buffer.alloc(7 * 1024 ** 2) }), { code: 'BODY_TOO_LARGE' })
      await assert.rejects(queue.accept({ functionId: 'other/f' }), { code: 'NOT_FOUND' })
      await assert.rejects(queue.accept({ projectId: 'other' }), { code: 'NOT_FOUND' })
      await assert.rejects(queue.accept({ orderingKey: '' }), { code: 'INVALID_INPUT' })
    })
  })
}
