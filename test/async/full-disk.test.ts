import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { openEventStore } from '../../src/store/index.ts'
import { TestQueue } from '../support/async.ts'

test('a full store refuses calls whole, forgets no outcome, and goes on with space', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-async-full-'))
  const store = await openEventStore({ url: join(folder, 'events.db'), sizeBytesMax: 1_000_000 })
  const queue = await TestQueue.open(store, { settings: { concurrencyMax: 1 } })
  queue.publish('g', { paused: true })
  t.after(async () => {
    await queue.calls.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const running = await queue.accept()
  await queue.until(() => queue.invoker.running.length === 1)
  const taken: string[] = []
  const fill = async (bytes: number): Promise<void> => {
    for (;;) taken.push(await queue.accept({ name: 'g', body: Buffer.alloc(bytes) }))
  }
  await assert.rejects(fill(20_000), { code: 'STORAGE_FULL' })
  await assert.rejects(fill(1), { code: 'STORAGE_FULL' })
  assert.equal(
    (await queue.calls.list('p', { functionId: 'p/g' }, { limit: 1_000 })).items.length,
    taken.length,
  )
  // Its end cannot be written down now: it is, as soon as there is room.
  queue.invoker.attempts[0]!.answer('x'.repeat(100_000))
  await queue.pass(1_000, 100)
  assert.equal((await queue.get(running)).state, 'running')
  for (const table of ['async_calls', 'async_payloads'] as const)
    await store.db.deleteFrom(table).where('id', 'in', taken.slice(0, 20)).execute()
  await queue.pass(10_000, 1_000)
  assert.equal((await queue.calls.wait('p', running, 10_000)).state, 'succeeded')
  assert.equal((await queue.calls.result('p', running)).body.length, 100_000)
  assert.equal(queue.invoker.attempts.length, 1)
  await queue.accept()
})

test('an outcome that cannot be marked as under way is not tried in a circle', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-async-full-'))
  const store = await openEventStore({ url: join(folder, 'events.db') })
  const sent: string[] = []
  const queue = await TestQueue.open(store, {
    settings: { onSuccess: { kind: 'webhook', url: 'http://hooks.example/' } },
    deliverWebhook: async (_, { id }) => void sent.push(id),
  })
  t.after(async () => {
    await queue.calls.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const full = `create trigger disk_is_full before update on async_outbox begin select raise(abort, 'full'); end`
  await sql.raw(full).execute(store.db)
  queue.invoker.script = attempt => attempt.answer()
  const id = await queue.accept()
  await queue.until(() => queue.problems.length > 0)
  await queue.settle()
  assert.equal(queue.problems.length, 1)
  await sql.raw('drop trigger disk_is_full').execute(store.db)
  await queue.pass(1_000)
  await queue.until(() => sent.length === 1)
  assert.deepEqual(sent, [id])
})
