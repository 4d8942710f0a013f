import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createDialectRecords, type DialectRecords } from '../../src/control/index.ts'
import { KINDS } from '../../src/dialects/qinling/kept.ts'
import { Newest } from '../../src/dialects/qinling/retention.ts'
import { Texts } from '../../src/dialects/qinling/texts.ts'
import { openStore } from '../../src/store/index.ts'
import { FakeClock } from '../support/clock.ts'

const KIND = 'song.verse'

async function records(t: TestContext): Promise<{ records: DialectRecords; clock: FakeClock }> {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-records-'))
  const store = await openStore({ url: join(folder, 'store.db') })
  t.after(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  const clock = new FakeClock()
  return { records: createDialectRecords(store, clock), clock }
}

test('a record is found by its id and by its key, in its kind alone', async t => {
  const { records: all } = await records(t)
  const made = await all.insert({ id: '1', kind: KIND, projectId: 'p', key: 'p/a b', body: { text: 'la' } })
  assert.deepEqual(await all.get(KIND, '1'), made)
  assert.deepEqual(await all.byKey(KIND, 'p/a b'), made)
  assert.equal(await all.byKey(KIND, 'P/a b'), undefined)
  assert.equal(await all.get('song.line', '1'), undefined)
  await assert.rejects(all.insert({ id: '2', kind: KIND, projectId: 'q', key: 'p/a b', body: {} }), {
    code: 'CONFLICT',
  })
  await assert.rejects(all.insert({ id: '1', kind: KIND, projectId: 'p', body: {} }), { code: 'CONFLICT' })
})

test('lists go from the oldest on, page by page, and know what belongs to what', async t => {
  const { records: all, clock } = await records(t)
  for (let i = 0; i < 5; i++) {
    if (i % 2 === 0) clock.advance(10)
    await all.insert({
      id: `${i}`,
      kind: KIND,
      projectId: i < 4 ? 'p' : 'q',
      parent: i < 2 ? 'x' : 'y',
      body: i,
    })
  }
  const first = await all.list<number>(KIND, { projectId: 'p', limit: 2 })
  const second = await all.list<number>(KIND, { projectId: 'p', limit: 5, after: first[1]! })
  assert.deepEqual(
    [...first, ...second].map(each => each.body),
    [0, 1, 2, 3],
  )
  assert.deepEqual(
    (await all.list(KIND, { parent: 'y' })).map(each => each.id),
    ['2', '3', '4'],
  )
  assert.equal(await all.count(KIND, { parent: 'y', projectId: 'p' }), 2)
  assert.equal(await all.deleteOlder(KIND, first[1]!.createdAt + 1), 2)
  assert.equal(await all.count(KIND, {}), 3)
})

test('changes that meet are all made', async t => {
  const { records: all } = await records(t)
  await all.insert({ id: 'n', kind: KIND, projectId: 'p', body: 0 })
  await Promise.all(Array.from({ length: 10 }, () => all.update<number>(KIND, 'n', count => count + 1)))
  assert.equal((await all.get<number>(KIND, 'n'))?.body, 10)
  assert.equal(await all.delete(KIND, 'n'), true)
  assert.equal(await all.delete(KIND, 'n'), false)
  await assert.rejects(
    all.update(KIND, 'n', () => 1),
    { code: 'NOT_FOUND' },
  )
})

test('of a project’s executions the newest are kept, with their texts, and none of another’s go', async t => {
  const { records: all, clock } = await records(t)
  const texts = new Texts(all)
  const newest = new Newest(all, texts, 10, 4)
  const long = 'x'.repeat(20_000)
  for (let i = 0; i < 24; i++)
    for (const projectId of i < 4 ? ['quiet', 'busy'] : ['busy']) {
      clock.advance(1)
      const { id } = await all.insert({ id: `${projectId}-${i}`, kind: KINDS.execution, projectId, body: {} })
      await texts.keep(projectId, id, 'input', long)
      await newest.made(projectId)
    }
  const ids = async (projectId: string) =>
    (await all.list(KINDS.execution, { projectId })).map(({ id }) => Number(id.split('-')[1]))
  assert.deepEqual(await ids('quiet'), [0, 1, 2, 3])
  assert.deepEqual(
    await ids('busy'),
    Array.from({ length: 10 }, (_, i) => 14 + i),
  )
  assert.equal(await all.count('qinling.text', { projectId: 'busy' }), 10)
  assert.equal(await all.count('qinling.text', { projectId: 'quiet' }), 4)
})
