import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AsyncOptions } from '../../../src/async/index.ts'
import { aCall, type SettingsChange, TestQueue } from '../../support/async.ts'
import type { FreshStore } from '../async.ts'

/** From acceptance to the end. */
export function asyncLife(fresh: FreshStore): void {
  const open = async (
    t: TestContext,
    options: Partial<AsyncOptions> & { settings?: SettingsChange } = {},
  ): Promise<TestQueue> => {
    const queue = await TestQueue.open(await fresh(), options)
    t.after(() => queue.calls.close())
    return queue
  }

  describe('the life of a call', () => {
    test('a call is accepted, runs with what it was given, and its answer is kept', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.answer('done', 201, ['x-a', '1'])
      const id = await queue.accept({
        method: 'PUT',
        path: '/a?b=1',
        headers: ['x-in', 'v'],
        body: Buffer.from('body'),
        trigger: 'http',
        triggerName: 'hook',
        qualifier: 'live',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      })
      const call = await queue.calls.wait('p', id, 10_000)
      const { request } = queue.invoker.attempts[0]!
      assert.equal(queue.invoker.attempts.length, 1)
      assert.deepEqual(
        { ...request, target: request.target.id, body: Buffer.from(request.body!).toString() },
        {
          target: 'p/f',
          qualifier: 'live',
          trigger: 'http',
          triggerName: 'hook',
          method: 'PUT',
          path: '/a?b=1',
          headers: ['x-in', 'v'],
          body: 'body',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          attempt: { id, number: 1, heldMs: 0 },
        },
      )
      const now = queue.clock.now()
      assert.deepEqual(call, {
        id,
        projectId: 'p',
        functionId: 'p/f',
        appName: 'app',
        functionName: 'f',
        qualifier: 'live',
        trigger: 'http',
        triggerName: 'hook',
        state: 'succeeded',
        attempts: 1,
        acceptedAt: now,
        dueAt: now,
        startedAt: now,
        endedAt: now,
        keptUntil: now + 7 * 86_400_000,
        httpStatus: 201,
        resultBytes: 4,
      })
      assert.deepEqual(await queue.get(id), call)
      const result = await queue.calls.result('p', id)
      assert.deepEqual(
        { ...result, body: Buffer.from(result.body).toString() },
        {
          status: 201,
          headers: ['x-a', '1'],
          body: 'done',
        },
      )
    })

    test('what fails is tried again after longer and longer waits, and is a dead letter after the last attempt', async t => {
      const queue = await open(t)
      queue.invoker.script = attempt => attempt.fail('FUNCTION_FAILED')
      const id = await queue.accept()
      await queue.until(async () => (await queue.get(id)).lastFailure !== undefined)
      const first = await queue.get(id)
      assert.deepEqual([first.state, first.attempts, first.dueAt - queue.clock.now()], ['queued', 1, 1_000])
      await queue.pass(999)
      assert.equal(queue.invoker.attempts.length, 1)
      await queue.pass(1)
      await queue.until(
        async () => (await queue.get(id)).attempts === 2 && (await queue.get(id)).state === 'queued',
      )
      assert.equal((await queue.get(id)).dueAt - queue.clock.now(), 2_000)
      await queue.pass(2_000)
      const dead = await queue.calls.wait('p', id, 10_000)
      assert.deepEqual(
        [dead.state, dead.attempts, dead.lastFailure],
        ['failed', 3, { kind: 'error', code: 'FUNCTION_FAILED', message: 'failed with FUNCTION_FAILED' }],
      )
      assert.deepEqual(
        queue.invoker.attempts.map(({ request }) => request.attempt!.number),
        [1, 2, 3],
      )
      await assert.rejects(queue.calls.result('p', id), { code: 'CONFLICT', message: /gave no answer/ })
      await queue.pass(600_000, 60_000)
      assert.equal(queue.invoker.attempts.length, 3)
    })

    test('calls that are accepted together are there together or not at all', async t => {
      const queue = await open(t, { settings: { queuedMax: 3, paused: true } })
      await assert.rejects(queue.calls.accept([aCall(), aCall(), aCall(), aCall()]), {
        code: 'TOO_MANY_REQUESTS',
      })
      await queue.settle()
      assert.equal((await queue.calls.list('p', {}, {})).items.length, 0)
      assert.equal((await queue.calls.accept([aCall(), aCall(), aCall()])).length, 3)
      assert.equal((await queue.calls.list('p', {}, {})).items.length, 3)
      assert.equal(queue.calls.counters.queued, 3)
      assert.equal(queue.calls.counters.refused, 4)
    })

    test('a call that no row can hold is refused before others are written down with it', async t => {
      const queue = await open(t)
      const missing = [{ qualifier: 'x'.repeat(64) }, { qualifier: 'a\0' }, { qualifier: '' }]
      for (const change of missing)
        await assert.rejects(queue.calls.accept([aCall(change)]), { code: 'NOT_FOUND' })
      for (const change of [{ orderingKey: 'a\0' }, { orderingKey: 'x'.repeat(256) }, { idempotencyKey: '' }])
        await assert.rejects(queue.calls.accept([aCall(change)]), { code: 'INVALID_INPUT' })
      await queue.accept({ qualifier: 'a-b.c', orderingKey: 'ключ' })
    })
  })
}
