import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AsyncOptions } from '../../../src/async/index.ts'
import type { CloudEvent } from '../../../src/cloudevents/index.ts'
import { AtelierError } from '../../../src/core/index.ts'
import { aCall, type SettingsChange, TestQueue } from '../../support/async.ts'
import type { FreshStore } from '../async.ts'

const DAY_MS = 86_400_000

/** Results, cancelling, dead letters, destinations, forgetting. */
export function asyncEnds(fresh: FreshStore): void {
  const open = async (
    t: TestContext,
    options: Partial<AsyncOptions> & { settings?: SettingsChange } = {},
  ): Promise<TestQueue> => {
    const queue = await TestQueue.open(await fresh(), options)
    t.after(() => queue.calls.close())
    return queue
  }

  describe('the end of a call', () => {
    test('a status that asks for another attempt is a failure, and its answer is kept with the last one', async t => {
      const queue = await open(t, { settings: { retry: { attemptsMax: 2 } } })
      queue.invoker.script = attempt => attempt.answer('busy', 503)
      const id = await queue.accept()
      await queue.until(
        async () => (await queue.get(id)).attempts === 1 && queue.invoker.running.length === 0,
      )
      await queue.pass(1_000)
      const call = await queue.calls.wait('p', id, 10_000)
      assert.deepEqual([call.state, call.httpStatus, call.lastFailure?.kind], ['failed', 503, 'status'])
      assert.equal(Buffer.from((await queue.calls.result('p', id)).body).toString(), 'busy')
      queue.invoker.script = attempt => attempt.answer('no', 404)
      const refused = await queue.calls.wait('p', await queue.accept(), 10_000)
      assert.deepEqual([refused.state, refused.httpStatus], ['succeeded', 404])
    })

    test('only what the policy names is tried again, and a call may have its own number of attempts', async t => {
      const queue = await open(t, { settings: { retry: { on: ['timeout'] } } })
      queue.invoker.script = attempt => attempt.fail('FUNCTION_FAILED')
      assert.equal((await queue.calls.wait('p', await queue.accept(), 10_000)).state, 'failed')
      queue.invoker.script = attempt => attempt.fail('FUNCTION_TIMEOUT')
      const once = await queue.accept({ attemptsMax: 1 })
      assert.deepEqual(
        [(await queue.calls.wait('p', once, 10_000)).state, (await queue.get(once)).attempts],
        ['failed', 1],
      )
      const again = await queue.accept()
      await queue.until(async () => (await queue.get(again)).lastFailure?.kind === 'timeout')
      assert.equal((await queue.get(again)).state, 'queued')
    })

    test('an answer beyond what is kept is a failure of the function, broken off and not tried again', async t => {
      const queue = await open(t)
      let sent = 0
      queue.invoker.script = attempt => {
        attempt.sink.onHead(200, [])
        const piece = Buffer.alloc(256 * 1024)
        // A gigabyte, as long as somebody takes it.
        for (; !attempt.isCancelled && sent < 4_096; sent++) attempt.sink.onData(piece)
      }
      const call = await queue.calls.wait('p', await queue.accept(), 10_000)
      assert.deepEqual([call.state, call.attempts, call.lastFailure?.kind], ['failed', 1, 'error'])
      assert.match(call.lastFailure!.message, /6 MiB/)
      assert.ok(sent <= 25)
    })

    test('a call that waits is cancelled before it runs, one that runs is broken off, one that ended is left', async t => {
      const queue = await open(t, { settings: { concurrencyMax: 1 } })
      const [running, ahead, waiting] = await queue.calls.accept([aCall(), aCall(), aCall()])
      await queue.until(() => queue.invoker.running.length === 1)
      for (const { id } of [waiting!, ahead!])
        assert.deepEqual(
          [(await queue.calls.cancel('p', id)).state, (await queue.get(id)).attempts],
          ['cancelled', 0],
        )
      const cancelled = await queue.calls.cancel('p', running!.id)
      assert.deepEqual([cancelled.state, cancelled.attempts], ['cancelled', 1])
      assert.ok(queue.invoker.attempts[0]!.isCancelled)
      await assert.rejects(queue.calls.cancel('p', running!.id), { code: 'CONFLICT' })
      await assert.rejects(queue.calls.cancel('other', running!.id), { code: 'NOT_FOUND' })
      assert.deepEqual([queue.calls.counters.queued, queue.calls.counters.running], [0, 0])
      assert.equal(queue.invoker.attempts.length, 1)
    })

    test('a call whose attempt ends while it is cancelled is cancelled all the same', async t => {
      let meanwhile: (() => Promise<void>) | undefined
      const store = await fresh()
      const queue = await TestQueue.open(
        new Proxy(store, {
          get(target, name) {
            const found: unknown = Reflect.get(target, name)
            if (name !== 'transaction') return typeof found === 'function' ? found.bind(target) : found
            return async (...args: Parameters<typeof target.transaction>) => {
              const done = await target.transaction(...args)
              const then = meanwhile
              meanwhile = undefined
              await then?.()
              return done
            }
          },
        }),
      )
      t.after(() => queue.calls.close())
      const id = await queue.accept()
      await queue.until(() => queue.invoker.running.length === 1)
      meanwhile = async () => {
        queue.invoker.attempts[0]!.fail('FUNCTION_CRASHED')
        await queue.until(async () => (await queue.get(id)).state === 'queued')
      }
      assert.equal((await queue.calls.cancel('p', id)).state, 'cancelled')
      assert.equal((await queue.get(id)).lastFailure?.kind, 'crash')
    })

    test('dead letters are redriven one by one or by filter, with fresh attempts and age', async t => {
      const queue = await open(t, { settings: { retry: { attemptsMax: 1 } } })
      queue.invoker.script = attempt => attempt.fail('FUNCTION_CRASHED')
      const accepted = await queue.calls.accept([aCall(), aCall(), aCall({ name: 'g' })])
      for (const { id } of accepted) await queue.calls.wait('p', id, 10_000)
      assert.equal((await queue.calls.queue('p', 'p/f')).deadLetters, 2)
      queue.invoker.script = attempt => attempt.answer(attempt.body)
      await queue.pass(2 * DAY_MS)
      assert.equal(await queue.calls.redrive('p', { id: accepted[0]!.id }), 1)
      const call = await queue.calls.wait('p', accepted[0]!.id, 10_000)
      assert.equal(call.state, 'succeeded')
      assert.equal(Buffer.from((await queue.calls.result('p', call.id)).body).toString(), 'hello')
      await assert.rejects(queue.calls.redrive('p', { id: call.id }), { code: 'CONFLICT' })
      assert.equal(await queue.calls.redrive('p', { states: ['succeeded'] }), 0)
      assert.equal(await queue.calls.redrive('p', { functionId: 'p/f' }), 1)
      assert.equal((await queue.calls.wait('p', accepted[1]!.id, 10_000)).state, 'succeeded')
      assert.equal((await queue.get(accepted[2]!.id)).state, 'failed')
    })

    test('calls that have ended are forgotten after their time, or when somebody asks', async t => {
      const queue = await open(t, { settings: { resultKeptMs: DAY_MS, retry: { attemptsMax: 1 } } })
      queue.invoker.script = attempt =>
        attempt.body === 'no' ? attempt.fail('FUNCTION_FAILED') : attempt.answer()
      const ended = await queue.accept()
      const dead = await queue.accept({ body: Buffer.from('no') })
      for (const id of [ended, dead]) await queue.calls.wait('p', id, 10_000)
      assert.equal(await queue.calls.forget('p', { states: ['succeeded'] }), 1)
      await assert.rejects(queue.get(ended), { code: 'NOT_FOUND' })
      await queue.pass(DAY_MS - 10_000)
      assert.equal((await queue.get(dead)).state, 'failed')
      await queue.pass(20_000, 5_000)
      await queue.until(async () => (await queue.get(dead).catch(() => undefined)) === undefined)
      for (const table of ['async_payloads', 'async_results'] as const)
        assert.deepEqual(await queue.store.db.selectFrom(table).selectAll().execute(), [])
    })

    test('calls of a deleted function fail with the reason, those of a deleted project are forgotten', async t => {
      const queue = await open(t, { settings: { paused: true } })
      const id = await queue.accept()
      const keyed = await queue.accept({ orderingKey: 'k' })
      const behind = await queue.accept({ orderingKey: 'k' })
      queue.table.publish([{ kind: 'function', id: 'p/f', value: undefined }])
      for (const each of [id, keyed, behind]) {
        const call = await queue.calls.wait('p', each, 10_000)
        assert.equal(call.state, 'failed')
        assert.match(call.lastFailure!.message, /"app\/f" was deleted/)
      }
      await queue.accept({ name: 'g' })
      queue.table.publish([
        { kind: 'function', id: 'p/g', value: undefined },
        { kind: 'project', id: 'p', value: undefined },
      ])
      await queue.until(
        async () => (await queue.store.db.selectFrom('async_calls').select('id').execute()).length === 0,
      )
      assert.equal(queue.calls.counters.queued, 0)
    })

    test('calls whose function was deleted while no server ran fail after a while', async t => {
      const store = await fresh()
      const queue = await TestQueue.open(store, { settings: { paused: true } })
      const id = await queue.accept()
      await queue.calls.close()
      queue.table.publish([{ kind: 'function', id: 'p/f', value: undefined }])
      await queue.start()
      t.after(() => queue.calls.close())
      await queue.pass(50_000, 5_000)
      assert.equal((await queue.get(id)).state, 'queued')
      // A slow store looks later, and then waits anew.
      await queue.until(async () => {
        await queue.pass(5_000)
        return (await queue.get(id)).state === 'failed'
      })
    })

    test('outcomes go to their destinations as events, again and again until they are taken', async t => {
      const sent: [string, CloudEvent][] = []
      let isUp = false
      const queue = await open(t, {
        settings: {
          retry: { attemptsMax: 1 },
          onSuccess: { kind: 'webhook', url: 'http://hooks.example/ok' },
          onFailure: { kind: 'topic', topic: 'failures' },
        },
        deliverWebhook: async (url, event) => {
          if (!isUp) throw new AtelierError('UNAVAILABLE', 'not now')
          sent.push([url, event])
        },
        publish: async (projectId, topic, event) => void sent.push([`${projectId}/${topic}`, event]),
      })
      queue.invoker.script = attempt =>
        attempt.body === 'no' ? attempt.fail('FUNCTION_FAILED') : attempt.answer('yes')
      const good = await queue.accept()
      const bad = await queue.accept({ body: Buffer.from('no') })
      const silent = await queue.accept({ onSuccess: null })
      for (const id of [good, bad, silent]) await queue.calls.wait('p', id, 10_000)
      await queue.until(() => sent.length === 1)
      await queue.pass(30_000, 1_000)
      isUp = true
      await queue.pass(60_000, 5_000)
      await queue.until(() => sent.length === 2)
      assert.deepEqual(
        sent.map(([where, { id, type }]) => [where, id, type]),
        [
          ['p/failures', bad, 'atelier.call.failed'],
          ['http://hooks.example/ok', good, 'atelier.call.succeeded'],
        ],
      )
      assert.equal(Buffer.from(sent[1]![1].data!).toString(), 'yes')
      await queue.until(
        async () => (await queue.store.db.selectFrom('async_outbox').select('id').execute()).length === 0,
      )
    })

    test('a project whose destination does not answer holds up nobody else, however much it has to deliver', async t => {
      const slow = Promise.withResolvers<void>()
      let delivered = 0
      const queue = await open(t, {
        settings: { onSuccess: { kind: 'webhook', url: 'http://slow.example/' } },
        deliverWebhook: url => (url.includes('slow') ? slow.promise : Promise.resolve(void delivered++)),
      })
      queue.table.publish([{ kind: 'project', id: 'q', value: { id: 'q', name: 'q', enabled: true } }])
      const other = queue.publish('f', { onSuccess: { kind: 'webhook', url: 'http://quick.example/' } }, 'q')
      const batch = JSON.stringify(
        Array.from({ length: 100 }, (_, i) => ({ specversion: '1.0', id: `e${i}`, source: '/s', type: 't' })),
      )
      queue.invoker.script = attempt =>
        attempt.answer(batch, 200, ['content-type', 'application/cloudevents-batch+json'])
      for (let i = 0; i < 3; i++) await queue.calls.wait('p', await queue.accept(), 10_000)
      await queue.pass(1)
      queue.invoker.script = attempt => attempt.answer()
      await queue.calls.accept([aCall({ projectId: 'q', functionId: other.id })])
      try {
        await queue.until(() => delivered === 1)
      } finally {
        slow.resolve()
      }
    })

    test('an answer that is many events goes out as a hundred of them, and without topics nothing is kept for one', async t => {
      const sent: string[] = []
      const queue = await open(t, {
        settings: { onSuccess: { kind: 'webhook', url: 'http://hooks.example/' } },
        deliverWebhook: async (_, { id }) => void sent.push(id),
      })
      queue.publish('g', { onSuccess: { kind: 'topic', topic: 'none' } })
      const batch = Array.from({ length: 150 }, (_, i) => ({
        specversion: '1.0',
        id: `e${i}`,
        source: '/s',
        type: 't',
      }))
      queue.invoker.script = attempt =>
        attempt.answer(JSON.stringify(batch), 200, ['content-type', 'application/cloudevents-batch+json'])
      await queue.accept()
      await queue.until(() => sent.length === 100)
      await queue.accept({ name: 'g' })
      await queue.until(() => queue.problems.length === 102)
      assert.match(queue.problems[0]!, /150 events/)
      assert.match(queue.problems.at(-1)!, /no topics/)
      assert.equal(sent.length, 100)
    })

    test('an outcome may be another call, and calls that lead in a circle stop', async t => {
      const queue = await open(t, {
        limits: { hopsMax: 3 },
        settings: { onSuccess: { kind: 'function', app: 'app', function: 'g' } },
      })
      queue.publish('g', { onSuccess: { kind: 'function', app: 'app', function: 'f' } })
      queue.invoker.script = attempt => attempt.answer('round')
      await queue.accept()
      await queue.until(() => queue.problems.length > 0)
      assert.match(queue.problems[0]!, /in a circle/)
      assert.deepEqual(
        queue.invoker.attempts.map(({ request }) => [request.target.name, request.trigger]),
        [
          ['f', 'test'],
          ['g', 'destination'],
          ['f', 'destination'],
          ['g', 'destination'],
        ],
      )
      assert.equal(queue.invoker.attempts[1]!.body, 'round')
    })

    test('lists are by page, newest first, and by what is asked for', async t => {
      const queue = await open(t, { settings: { paused: true } })
      const ids: string[] = []
      for (let i = 0; i < 5; i++) {
        ids.push(await queue.accept({ trigger: i % 2 === 0 ? 'http' : 'schedule', triggerName: `t${i}` }))
        queue.clock.advance(1_000)
      }
      const other = await queue.accept({ name: 'g', orderingKey: 'k' })
      const all: string[] = []
      for (let cursor: string | undefined; ; ) {
        const page = await queue.calls.list('p', {}, { limit: 2, ...(cursor !== undefined && { cursor }) })
        all.push(...page.items.map(({ id }) => id))
        if (page.next === undefined) break
        cursor = page.next
      }
      assert.deepEqual(all, [other, ...ids.toReversed()])
      const listed = async (filter: Parameters<typeof queue.calls.list>[1]): Promise<string[]> =>
        (await queue.calls.list('p', filter, {})).items.map(({ id }) => id)
      assert.deepEqual(await listed({ functionId: 'p/g' }), [other])
      assert.deepEqual(await listed({ trigger: 'schedule' }), [ids[3], ids[1]])
      assert.deepEqual(await listed({ triggerName: 't4' }), [ids[4]])
      assert.deepEqual(await listed({ orderingKey: 'k' }), [other])
      assert.deepEqual(await listed({ states: ['running'] }), [])
      const second = (await queue.get(ids[1]!)).acceptedAt
      assert.deepEqual(await listed({ acceptedSince: second, acceptedUntil: second + 1_001 }), [
        ids[2],
        ids[1],
      ])
      assert.deepEqual((await queue.calls.list('other', {}, {})).items, [])
      await assert.rejects(queue.calls.list('p', {}, { cursor: 'x' }), { code: 'INVALID_INPUT' })
    })
  })
}
