import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AsyncOptions, NewAsyncCall } from '../../../src/async/index.ts'
import { aCall, type SettingsChange, TestQueue } from '../../support/async.ts'
import type { FreshStore } from '../async.ts'

const FOR_MS = 60_000
const WHY = 'Somebody else did it.'

/** Calls that somebody outside may run instead. */
export function asyncReserve(fresh: FreshStore): void {
  const open = async (
    t: TestContext,
    options: Partial<AsyncOptions> & { settings?: SettingsChange } = {},
  ): Promise<TestQueue> => {
    const queue = await TestQueue.open(await fresh(), options)
    t.after(() => queue.calls.close())
    return queue
  }
  const paused = (t: TestContext) => open(t, { settings: { paused: true } })
  /** One that may be reserved. */
  const accept = (queue: TestQueue, change: Partial<NewAsyncCall> & { name?: string } = {}) =>
    queue.accept({ reservable: true, ...change })
  const reserve = async (queue: TestQueue, project = 'p') =>
    (await queue.calls.reserve(project, FOR_MS))?.call.id

  describe('calls for somebody outside', () => {
    test('the oldest that is due is given, with what its function would be sent, and no call twice', async t => {
      const queue = await paused(t)
      assert.equal(await reserve(queue), undefined)
      const ids = [await accept(queue, { name: 'g' })]
      queue.clock.advance(1)
      ids.push(await accept(queue, { path: '/a?b=1', headers: ['x-a', '1'], body: Buffer.from('body') }))
      queue.clock.advance(1)
      ids.push(await accept(queue, { name: 'g', body: null }))
      assert.equal(await reserve(queue), ids[0])
      const { call, body, ...rest } = (await queue.calls.reserve('p', FOR_MS))!
      assert.deepEqual([call.id, call.state, call.dueAt], [ids[1], 'queued', queue.clock.now() + FOR_MS])
      assert.deepEqual(rest, { method: 'POST', path: '/a?b=1', headers: ['x-a', '1'] })
      assert.equal(Buffer.from(body!).toString(), 'body')
      assert.equal((await queue.calls.reserve('p', FOR_MS))!.body, null)
      assert.equal(await reserve(queue), undefined)
      assert.deepEqual(await queue.get(ids[1]!), call)
      assert.equal(queue.calls.counters.queued, 3)
    })

    test('only what waits, is due, is in the project and was accepted for it is given', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.fail('FUNCTION_FAILED')
      const retried = await accept(queue)
      await queue.until(async () => (await queue.get(retried)).lastFailure !== undefined)
      queue.publish('f', { paused: true })
      queue.publish('f', { paused: true }, 'q')
      queue.table.publish([{ kind: 'project', id: 'q', value: { id: 'q', name: 'q', enabled: true } }])
      const later = await accept(queue, { runAt: queue.clock.now() + 1_000 })
      await queue.accept()
      const first = await accept(queue, { orderingKey: 'k' })
      const behind = await accept(queue, { orderingKey: 'k' })
      await accept(queue, { maxAgeMs: 0 })
      const others = await accept(queue, { projectId: 'q', functionId: 'q/f' })
      assert.equal(await reserve(queue), first)
      assert.equal(await reserve(queue), undefined)
      assert.equal(await reserve(queue, 'q'), others)
      assert.equal(await reserve(queue, 'q'), undefined)
      await queue.calls.takeReserved('p', first, WHY)
      assert.equal(await reserve(queue), behind)
      await queue.pass(1_000)
      // Which of them is due first is left to chance, which is a part of every wait.
      assert.deepEqual(new Set([await reserve(queue), await reserve(queue)]), new Set([retried, later]))
      assert.equal(await reserve(queue), undefined)
    })

    test('a reserved call is not run, until nobody has taken it in time: then once, by its function', async t => {
      const queue = await open(t, { settings: { concurrencyMax: 1 } })
      queue.invoker.script = attempt => attempt.body !== 'slow' && attempt.answer()
      // One that runs, and one that is next.
      await queue.calls.accept([aCall({ body: Buffer.from('slow') }), aCall()])
      await queue.until(() => queue.invoker.running.length === 1)
      const id = await accept(queue)
      assert.equal(await reserve(queue), id)
      queue.invoker.running[0]!.answer()
      await queue.until(() => queue.ended.length === 2)
      await queue.pass(FOR_MS - 1, FOR_MS / 4)
      assert.deepEqual([queue.invoker.of(id).length, (await queue.get(id)).state], [0, 'queued'])
      await queue.pass(1)
      assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      await queue.pass(2 * FOR_MS, FOR_MS / 4)
      assert.equal(queue.invoker.of(id).length, 1)
      await assert.rejects(queue.calls.takeReserved('p', id, WHY), { code: 'CONFLICT' })
      assert.deepEqual([queue.calls.counters.queued, queue.calls.usage('p').bytes], [0, 0])
    })

    test('one that is taken has ended as a cancelled call does, with the reason', async t => {
      const queue = await open(t, {
        settings: { paused: true, onFailure: { kind: 'function', app: 'app', function: 'g' } },
      })
      const id = await accept(queue)
      await assert.rejects(queue.calls.takeReserved('p', id, WHY), {
        code: 'CONFLICT',
        message: /is not reserved, or no longer: it is queued/,
      })
      assert.equal(await reserve(queue), id)
      await assert.rejects(queue.calls.takeReserved('q', id, WHY), { code: 'NOT_FOUND' })
      const taken = await queue.calls.takeReserved('p', id, WHY)
      assert.deepEqual(
        [taken.state, taken.attempts, taken.endedAt, taken.lastFailure],
        ['cancelled', 0, queue.clock.now(), { kind: 'platform', code: 'CANCELLED', message: WHY }],
      )
      assert.deepEqual(await queue.get(id), taken)
      assert.deepEqual(queue.ended, [taken])
      await assert.rejects(queue.calls.takeReserved('p', id, WHY), {
        code: 'CONFLICT',
        message: /it is cancelled/,
      })
      queue.publish('f')
      await queue.pass(2 * FOR_MS, FOR_MS / 4)
      assert.equal(queue.invoker.attempts.length, 0)
      const { queued, cancelled } = queue.calls.counters
      assert.deepEqual([queued, cancelled, queue.calls.usage('p').bytes], [0, 1, 0])
      assert.deepEqual(await queue.store.db.selectFrom('async_outbox').selectAll().execute(), [])
    })

    test('after its time a call of a paused function is given again, and who had it before cannot take it in between', async t => {
      const queue = await paused(t)
      const id = await accept(queue)
      assert.equal(await reserve(queue), id)
      await queue.pass(FOR_MS)
      await assert.rejects(queue.calls.takeReserved('p', id, WHY), { code: 'CONFLICT' })
      assert.equal(await reserve(queue), id)
      assert.equal((await queue.calls.takeReserved('p', id, WHY)).state, 'cancelled')
    })

    test('of calls that may be given, those behind many that may not are found', async t => {
      const queue = await paused(t)
      await queue.calls.accept(Array.from({ length: 40 }, () => aCall()))
      queue.clock.advance(1)
      const id = await accept(queue)
      assert.equal(await reserve(queue), id)
      assert.equal(await reserve(queue), undefined)
    })

    test('nodes that ask at once are given each call once', async t => {
      const store = await fresh()
      const first = await TestQueue.open(store, { isShared: true, settings: { paused: true } })
      const accepted = await first.calls.accept(
        Array.from({ length: 24 }, (_, i) => aCall({ name: i % 2 ? 'f' : 'g', reservable: true })),
      )
      const second = await TestQueue.open(store, { isShared: true, clock: first.clock, table: first.table })
      t.after(() => Promise.all([first.calls.close(), second.calls.close()]))
      const given = await Promise.all(Array.from({ length: 30 }, (_, i) => reserve(i % 2 ? first : second)))
      const ids = given.filter(id => id !== undefined)
      assert.deepEqual(ids.sort(), accepted.map(({ id }) => id).sort())
      // Whoever gave it away, each node may be told that it was taken, one of them in time.
      const told = await Promise.allSettled(
        [first, second].map(({ calls }) => calls.takeReserved('p', ids[0]!, WHY)),
      )
      assert.deepEqual(told.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    })

    test('a process that is lost loses no reservation, and one that ends runs with the next process, once', async t => {
      const store = await fresh()
      const lost = await TestQueue.open(store, { isShared: false, settings: { paused: true } })
      const ids = [await accept(lost), await accept(lost)]
      const given = [await reserve(lost), await reserve(lost)]
      assert.deepEqual(new Set(given), new Set(ids))
      const queue = await TestQueue.open(store, { isShared: false, clock: lost.clock, table: lost.table })
      t.after(() => Promise.all([queue.calls.close(), lost.calls.close()]))
      queue.invoker.script = attempt => attempt.answer()
      assert.equal(await reserve(queue), undefined)
      assert.equal((await queue.calls.takeReserved('p', given[0]!, WHY)).state, 'cancelled')
      lost.abandon()
      lost.calls.drain(0).catch(() => {})
      lost.publish('f')
      await queue.pass(FOR_MS - 1, FOR_MS / 4)
      assert.equal(queue.invoker.attempts.length, 0)
      await queue.pass(1)
      assert.equal((await queue.calls.wait('p', given[1]!, 10_000)).state, 'succeeded')
      await queue.pass(FOR_MS, FOR_MS / 4)
      assert.equal(queue.invoker.attempts.length + lost.invoker.attempts.length, 1)
    })
  })
}
