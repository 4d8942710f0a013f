import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Feed } from '../../src/nodes/feed.ts'
import { agreeOnKey } from '../../src/nodes/key-fact.ts'
import { openNodes } from '../../src/nodes/nodes.ts'
import { LEAD_MS_MAX, Roll, SILENCE_MS_MAX } from '../../src/nodes/roll.ts'
import { Shelf } from '../../src/nodes/shelf.ts'
import { isSigned, nodeKey, sign } from '../../src/nodes/signature.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import { FakeClock } from '../support/clock.ts'

const HOUR_MS = 3_600_000

let folder: string
let store: Store
const clock = new FakeClock()
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'atelier-nodes-'))
  store = await openStore({ url: join(folder, 'atelier.db') })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const roll = (id: string) => new Roll(store, clock, { id, url: `http://${id}`, version: '1', startedAt: 0 })

test('one node leads; another one takes over when it is silent, and never while it may still believe that it leads', async () => {
  const [a, b] = [roll('a'), roll('b')]
  await a.round()
  await b.round()
  assert.deepEqual([a.isLeader, b.isLeader], [true, false])
  await a.round()
  assert.deepEqual(
    a.entries.map(({ id, isLeader }) => [id, isLeader]),
    [
      ['a', true],
      ['b', false],
    ],
  )
  // From now on a is dead.
  for (let ms = 0; ms < SILENCE_MS_MAX - 1_000; ms += 1_000) {
    clock.advance(1_000)
    await b.round()
    assert.ok(!(a.isLeader && b.isLeader))
    assert.equal(b.isLeader, false)
  }
  assert.equal(a.isLeader, SILENCE_MS_MAX - 1_000 < LEAD_MS_MAX)
  clock.advance(2_000)
  await b.round()
  await b.round()
  assert.deepEqual([a.isLeader, b.isLeader], [false, true])
  assert.deepEqual(
    b.entries.map(({ id }) => id),
    ['b'],
  )
  // It was only slow: it is one of them again, and follows.
  await a.round()
  await b.round()
  assert.deepEqual([a.isLeader, b.isLeader, b.entries.length], [false, true, 2])
  await b.resign()
  await b.round()
  await a.round()
  assert.deepEqual([a.isLeader, b.isLeader], [true, false])
  await b.leave()
  await a.leave()
})

test('each node hears what the others committed, in order and once, and nothing that was rolled back', async () => {
  const [a, b] = [new Feed(store, 'a', clock), new Feed(store, 'b', clock)]
  await a.begin()
  await b.begin()
  await store.transaction(tx => a.tell(tx, { functions: ['f1'] }))
  await assert.rejects(
    store.transaction(async tx => {
      await a.tell(tx, { functions: ['lost'] })
      throw new Error('rolled back')
    }),
  )
  await store.transaction(tx => b.tell(tx, { rights: true }))
  await store.transaction(tx => a.tell(tx, { projects: ['p'] }))
  assert.deepEqual(await b.news(), { notes: [{ functions: ['f1'] }, { projects: ['p'] }], missed: false })
  assert.deepEqual(await a.news(), { notes: [{ rights: true }], missed: false })
  assert.deepEqual(await b.news(), { notes: [], missed: false })
})

test('a node that is too far behind is told that it missed something', async () => {
  const [a, b] = [new Feed(store, 'a', clock), new Feed(store, 'b', clock)]
  await b.begin()
  for (let n = 0; n < 3; n++) await store.transaction(tx => a.tell(tx, { functions: [`${n}`] }))
  const { min } = await store.db
    .selectFrom('publications')
    .select(select => select.fn.max('number').as('min'))
    .executeTakeFirstOrThrow()
  await store.db.deleteFrom('publications').where('number', '<', min).execute()
  assert.deepEqual(await b.news(), { notes: [{ functions: ['2'] }], missed: true })
})

test('what is on the shelf comes back whole, is kept while it is needed or used, and leaves nothing behind', async () => {
  const shelf = new Shelf(store, clock)
  const content = Buffer.alloc(2_500_000, 'abcdefg')
  const pieces = async function* () {
    for (let at = 0; at < content.length; at += 70_001) yield content.subarray(at, at + 70_001)
  }
  assert.equal(await shelf.touch('bundle x'), false)
  assert.equal(await shelf.get('bundle x'), undefined)
  await Promise.all([shelf.put('bundle x', pieces()), shelf.put('bundle x', pieces())])
  const parts = await store.db.selectFrom('blob_parts').select('number').execute()
  assert.equal(parts.length, 3, 'the copy of who came second is gone')
  const back = []
  for await (const part of (await shelf.get('bundle x'))!) back.push(part)
  assert.ok(Buffer.concat(back).equals(content))
  await assert.rejects(
    shelf.put(
      'bundle broken',
      (async function* () {
        yield content
        throw new Error('the folder is gone')
      })(),
    ),
    /the folder is gone/,
  )
  assert.deepEqual([...(await shelf.names())], ['bundle x'])
  clock.advance(2 * HOUR_MS)
  await shelf.collect(name => name === 'bundle x', clock.now() - HOUR_MS)
  assert.equal(await shelf.touch('bundle x'), true)
  await shelf.collect(() => false, clock.now() - HOUR_MS)
  assert.equal(await shelf.touch('bundle x'), true, 'it was used')
  clock.advance(2 * HOUR_MS)
  await shelf.collect(() => false, clock.now() - HOUR_MS)
  assert.equal(await shelf.get('bundle x'), undefined)
  assert.deepEqual(await store.db.selectFrom('blob_parts').select('number').execute(), [])
})

test('what the database damaged is not taken for the whole', async () => {
  const shelf = new Shelf(store, clock)
  await shelf.put(
    'bundle y',
    (async function* () {
      yield Buffer.alloc(10, 1)
    })(),
  )
  await store.db
    .updateTable('blob_parts')
    .set({ content: Buffer.alloc(10, 2) })
    .execute()
  await assert.rejects(async () => {
    for await (const _ of (await shelf.get('bundle y'))!);
  }, /damaged/)
})

test('changed rights are told until the others can know of them', async () => {
  const problems: string[] = []
  let isDown = false
  const flaky = new Proxy(store, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name)
      if (name === 'transaction' && isDown) return () => Promise.reject(new Error('the database is away'))
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
  const told = async () => {
    const rows = await store.db.selectFrom('publications').select('note_json').execute()
    return rows.filter(({ note_json }) => note_json === '{"rights":true}').length
  }
  const node = await openNodes({
    store: flaky,
    clock,
    version: '1',
    secrets: [Buffer.alloc(32, 1)],
    secretsPath: '/secret.key',
    onProblem: message => problems.push(message),
  })
  const before = await told()
  isDown = true
  node.tellRights()
  clock.advance(20)
  while (problems.length === 0) await new Promise(resolve => setImmediate(resolve))
  isDown = false
  clock.advance(2_000)
  while ((await told()) === before) await new Promise(resolve => setTimeout(resolve, 1))
  node.tellRights()
  await node.close()
  assert.equal((await told()) - before, 2)
  assert.equal(problems.length, 1)
})

test('nodes agree on a key, change it together, and refuse another', async () => {
  const [old, fresh, other] = [1, 2, 3].map(fill => Buffer.alloc(32, fill)) as [Buffer, Buffer, Buffer]
  await agreeOnKey(store, [old], '/a/secret.key')
  await agreeOnKey(store, [old], '/b/secret.key')
  await assert.rejects(agreeOnKey(store, [other], '/c/secret.key'), {
    code: 'INVALID_INPUT',
    message: /\/c\/secret.key: copy secret.key/,
  })
  await agreeOnKey(store, [fresh, old], '/a/secret.key')
  await agreeOnKey(store, [fresh], '/a/secret.key')
  await assert.rejects(agreeOnKey(store, [old], '/b/secret.key'), { code: 'INVALID_INPUT' })
})

test('a signature is good for one question, for some minutes, with the right key', () => {
  const key = nodeKey(Buffer.alloc(32, 1))
  const now = 1_900_000_000_000
  const field = sign(key, '/-/nodes/ask?q=x', now)
  assert.equal(isSigned(key, '/-/nodes/ask?q=x', now + 60_000, field), true)
  assert.equal(isSigned(key, '/-/nodes/ask?q=y', now, field), false)
  assert.equal(isSigned(key, '/-/nodes/ask?q=x', now + 600_000, field), false)
  assert.equal(isSigned(nodeKey(Buffer.alloc(32, 2)), '/-/nodes/ask?q=x', now, field), false)
  for (const wrong of [undefined, '', 'Bearer x', `${field}x`, field.replace('.', ' '), 'Atelier-Node 1.'])
    assert.equal(isSigned(key, '/-/nodes/ask?q=x', now, wrong), false)
})
