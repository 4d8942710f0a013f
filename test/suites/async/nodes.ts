import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AsyncCall } from '../../../src/core/index.ts'
import { aCall, TestQueue } from '../../support/async.ts'
import type { FreshStore } from '../async.ts'

const HOUR_MS = 3_600_000

/** Several processes on one database, processes that are lost, clocks that jump. */
export function asyncNodes(fresh: FreshStore): void {
  /** Two queues of two processes, each with an invoker of its own. */
  const pair = async (t: TestContext): Promise<[TestQueue, TestQueue]> => {
    const store = await fresh()
    const first = await TestQueue.open(store, { isShared: true })
    const second = await TestQueue.open(store, { isShared: true, clock: first.clock, table: first.table })
    t.after(() => Promise.all([first.calls.close(), second.calls.close()]))
    return [first, second]
  }

  describe('nodes and clocks', () => {
    test('what another process has accepted is seen and run, each call by one of them', async t => {
      const [first, second] = await pair(t)
      first.publish('f', { paused: true })
      const ids = (await first.calls.accept(Array.from({ length: 50 }, () => aCall()))).map(({ id }) => id)
      for (const each of [first, second]) each.invoker.script = attempt => attempt.answer()
      first.publish('f', { concurrencyMax: 5 })
      for (const id of ids) {
        await first.until(async () => {
          if ((await second.get(id)).state === 'succeeded') return true
          await first.pass(5_000)
          return false
        })
        assert.equal(first.invoker.of(id).length + second.invoker.of(id).length, 1)
      }
    })

    test('a call that ends elsewhere is waited for', async t => {
      const [first, second] = await pair(t)
      first.invoker.script = attempt => attempt.answer()
      const id = await first.accept({ runAt: first.clock.now() + 20_000 })
      let end: AsyncCall | undefined
      void second.calls.wait('p', id, HOUR_MS).then(call => {
        end = call
      })
      // The disk takes the time it takes, and the other process looks only so often.
      await first.until(async () => {
        await first.pass(5_000)
        return end !== undefined
      })
      assert.equal(end?.state, 'succeeded')
    })

    test('a call that runs elsewhere is cancelled there', async t => {
      const [first, second] = await pair(t)
      const id = await first.accept()
      await first.until(() => first.invoker.running.length === 1)
      await second.calls.cancel('p', id)
      await first.until(async () => {
        await first.pass(5_000)
        return (await second.get(id)).state === 'cancelled'
      })
      assert.ok(first.invoker.attempts[0]!.isCancelled)
    })

    test('calls of a process that is not heard of are taken over, and what it says of them later does not count', async t => {
      const store = await fresh()
      // A process that stands still: its clock does.
      const stuck = await TestQueue.open(store, { isShared: true })
      const queue = await TestQueue.open(store, { isShared: true, table: stuck.table })
      t.after(() => Promise.all([stuck.calls.close(), queue.calls.close()]))
      const id = await stuck.accept()
      await stuck.until(() => stuck.invoker.running.length === 1)
      await queue.pass(30_000, 5_000)
      assert.equal(queue.invoker.attempts.length, 0)
      // A store that is far away may miss a beat's time.
      await queue.until(async () => {
        await queue.pass(5_000)
        return queue.invoker.running.length === 1
      })
      assert.equal(queue.calls.counters.recovered, 1)
      stuck.invoker.attempts[0]!.answer('too late')
      await stuck.settle()
      assert.equal((await queue.get(id)).state, 'running')
      queue.invoker.attempts[0]!.answer('in time')
      assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal(Buffer.from((await queue.calls.result('p', id)).body).toString(), 'in time')
      // Back again, it notices, and takes part under its name.
      await stuck.until(async () => {
        await stuck.pass(5_000)
        return (await store.db.selectFrom('async_nodes').select('id').execute()).length === 2
      })
      const next = await stuck.accept()
      await stuck.until(() => stuck.invoker.of(next).length === 1)
    })

    test('what a process leased that nobody counts among the living any more is taken over, too', async t => {
      const store = await fresh()
      const lost = await TestQueue.open(store, { isShared: true })
      const id = await lost.accept()
      await lost.until(() => lost.invoker.running.length === 1)
      // As if it had been taken for dead, had leased this after it came back, and were lost before it could announce itself.
      await store.db.deleteFrom('async_nodes').execute()
      const queue = await TestQueue.open(store, { isShared: true, table: lost.table })
      t.after(() => Promise.all([lost.calls.close(), queue.calls.close()]))
      await queue.until(async () => {
        await queue.pass(5_000)
        return queue.invoker.of(id).length === 1
      })
    })

    test('what a lost process had leased is queued again by the next one, and counted', async t => {
      const store = await fresh()
      const lost = await TestQueue.open(store, { isShared: false })
      const ids = (await lost.calls.accept([aCall(), aCall()])).map(({ id }) => id)
      await lost.until(() => lost.invoker.running.length === 2)
      const queue = await TestQueue.open(store, { isShared: false, clock: lost.clock, table: lost.table })
      t.after(() => Promise.all([queue.calls.close(), lost.calls.close()]))
      assert.equal(queue.calls.counters.recovered, 2)
      queue.invoker.script = attempt => attempt.answer()
      for (const id of ids) {
        const call = await queue.calls.wait('p', id, 10_000)
        assert.deepEqual([call.state, call.attempts], ['succeeded', 2])
      }
      lost.invoker.attempts[0]!.answer('too late')
      await lost.settle()
      assert.equal(Buffer.from((await queue.calls.result('p', ids[0]!)).body).toString(), 'ok')
    })

    test('a call that takes its process down again and again becomes a dead letter', async t => {
      const store = await fresh()
      let queue = await TestQueue.open(store, { isShared: false, limits: { recoveriesMax: 2 } })
      const id = await queue.accept()
      const opened = [queue]
      t.after(() => Promise.all(opened.map(each => each.calls.close())))
      for (let i = 0; i < 3; i++) {
        await queue.until(() => queue.invoker.running.length === 1)
        queue = await TestQueue.open(store, {
          isShared: false,
          limits: { recoveriesMax: 2 },
          clock: queue.clock,
          table: queue.table,
        })
        opened.push(queue)
      }
      const call = await queue.calls.wait('p', id, 10_000)
      assert.deepEqual([call.state, call.lastFailure?.kind], ['failed', 'crash'])
    })

    test('a server that stops lets running calls end; what does not is queued again', async t => {
      const queue = await TestQueue.open(await fresh(), { settings: { concurrencyMax: 2 } })
      const ids = (await queue.calls.accept([aCall(), aCall(), aCall()])).map(({ id }) => id)
      await queue.until(() => queue.invoker.running.length === 2)
      const drained = queue.calls.drain(10_000)
      await assert.rejects(queue.accept(), { code: 'UNAVAILABLE' })
      queue.invoker.attempts[0]!.answer()
      await queue.settle()
      queue.clock.advance(10_000)
      await drained
      await queue.calls.close()
      assert.equal(queue.invoker.attempts.length, 2)
      await queue.start()
      t.after(() => queue.calls.close())
      queue.invoker.script = attempt => attempt.answer()
      for (const id of ids) assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
      assert.equal(queue.calls.counters.recovered, 0)
      assert.equal(queue.invoker.attempts.length, 4)
    })

    test('a clock that is set forward makes nothing old, and one that is set back keeps nothing waiting', async t => {
      const queue = await TestQueue.open(await fresh(), {
        settings: { paused: true },
      })
      t.after(() => queue.calls.close())
      const { clock } = queue
      const before = await queue.accept()
      clock.jump(24 * HOUR_MS)
      await queue.pass(20_000, 5_000)
      assert.equal((await queue.get(before)).state, 'queued')
      clock.jump(-48 * HOUR_MS)
      const later = await queue.accept()
      queue.invoker.script = attempt => attempt.answer()
      queue.publish('f')
      for (const id of [before, later])
        assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
    })

    test('calls accepted under a clock that has been set back since run after a restart', async t => {
      const store = await fresh()
      const queue = await TestQueue.open(store, { settings: { paused: true } })
      const id = await queue.accept()
      await queue.calls.close()
      queue.clock.jump(-24 * HOUR_MS)
      await queue.start()
      t.after(() => queue.calls.close())
      queue.invoker.script = attempt => attempt.answer()
      queue.publish('f')
      assert.equal((await queue.calls.wait('p', id, 10_000)).state, 'succeeded')
    })
  })
}
