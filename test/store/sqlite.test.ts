import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { CompiledQuery } from 'kysely'
import { openEventStore, openStore, restoreStore, type Store } from '../../src/store/index.ts'
import { CONTROL_LAYOUT } from '../../src/store/migrations/index.ts'
import { SqliteThread } from '../../src/store/sqlite/thread.ts'
import { openThreadedSqlite } from '../../src/store/sqlite/threaded.ts'
import { storeSuite } from '../suites/store.ts'

const root = await mkdtemp(join(tmpdir(), 'atelier-store-'))
after(() => rm(root, { recursive: true, force: true }))

let counter = 0
const freshPath = (): string => join(root, `${counter++}`, 'atelier.db')

storeSuite('sqlite', async () => {
  const url = `sqlite:${freshPath()}`
  let store = await openStore({ url })
  return {
    store,
    async reopen() {
      await store.close()
      store = await openStore({ url })
      return store
    },
    dispose: () => store.close(),
  }
})

storeSuite('threaded sqlite', async () => {
  const path = freshPath()
  let store = await openThreadedSqlite(path, { url: path }, CONTROL_LAYOUT)
  return {
    store,
    async reopen() {
      await store.close()
      store = await openThreadedSqlite(path, { url: path }, CONTROL_LAYOUT)
      return store
    },
    dispose: () => store.close(),
  }
})

test('an event store has no thread until it has something to keep, and from then on at each start', async () => {
  let threads = 0
  let isReady = false
  const count = (message: unknown) => {
    threads++
    ;(message as { worker: Worker }).worker.once('message', () => (isReady = true))
  }
  subscribe('worker_threads', count)
  after(() => unsubscribe('worker_threads', count))
  const path = freshPath()
  let store = await openEventStore({ url: path })
  await store.transaction(tx => tx.deleteFrom('trigger_states').where('trigger_id', '=', 'none').execute())
  assert.deepEqual(await store.db.selectFrom('trigger_states').select('trigger_id').execute(), [])
  assert.equal(threads, 0)
  await store.close()

  store = await openEventStore({ url: path })
  assert.equal(threads, 0)
  // The thread takes over in the midst of these.
  const ids: string[] = []
  const row = (id: string) => ({ trigger_id: id, state_json: '{}', updated_at: 1 })
  for (let left = 200; left > 0; left -= isReady ? 1 : 0) {
    const id = `t${String(ids.length).padStart(9, '0')}`
    ids.push(id)
    await new Promise(resolve => setImmediate(resolve))
    if (left % 2) await store.db.insertInto('trigger_states').values(row(id)).execute()
    else await store.transaction(tx => tx.insertInto('trigger_states').values(row(id)).execute())
    const seen = store.db.selectFrom('trigger_states').select('trigger_id').where('trigger_id', '=', id)
    assert.equal((await seen.execute()).length, 1)
  }
  assert.equal(threads, 1)
  await store.close()

  store = await openEventStore({ url: path })
  assert.equal(threads, 2)
  const kept = await store.db
    .selectFrom('trigger_states')
    .select('trigger_id')
    .orderBy('trigger_id')
    .execute()
  assert.deepEqual(
    kept.map(each => each.trigger_id),
    ids,
  )
  await store.close()
})

test('an event store can be closed while its thread starts', async () => {
  const path = freshPath()
  const store = await openEventStore({ url: path })
  await store.db
    .insertInto('trigger_states')
    .values({ trigger_id: 'one', state_json: '{}', updated_at: 1 })
    .execute()
  await store.close()
  await assert.rejects(store.db.selectFrom('trigger_states').selectAll().execute(), { code: 'UNAVAILABLE' })
  const again = await openEventStore({ url: path })
  assert.equal((await again.db.selectFrom('trigger_states').selectAll().execute()).length, 1)
  await again.close()
})

test('a statement that follows the end of a thread at once is refused, not answered with nothing', async () => {
  const path = freshPath()
  await mkdir(join(path, '..'))
  const thread = await SqliteThread.start({ path, bytesMax: undefined })
  const closing = thread.close()
  const query = CompiledQuery.raw('select 1 as one')
  await assert.rejects(thread.run('read', query), { code: 'UNAVAILABLE' })
  await closing
})

test('the database can be read by its owner alone', async () => {
  const path = freshPath()
  const store = await openStore({ url: path })
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await store.close()
})

test('a store that is open is refused to a second server, by pid', async () => {
  const path = freshPath()
  const store = await openStore({ url: path })
  await assert.rejects(openStore({ url: path }), {
    code: 'UNAVAILABLE',
    message: new RegExp(`pid ${process.pid}`),
  })
  await store.close()
  await (await openStore({ url: path })).close()
})

test('the store of a killed process opens with all it acknowledged, and that of a live one names its pid', async () => {
  const path = freshPath()
  const module = JSON.stringify(join(import.meta.dirname, '../../src/store/index.ts'))
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', writer(module, path)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  while (said.split('\n').length < 200) await once(child.stdout, 'data')
  await assert.rejects(openStore({ url: path }), {
    code: 'UNAVAILABLE',
    message: new RegExp(`pid ${child.pid}\\b`),
  })
  child.kill('SIGKILL')
  await once(child, 'close')
  const acknowledged = Number(said.trimEnd().split('\n').at(-1))
  assert.ok(acknowledged >= 199)
  const store = await openStore({ url: path })
  const rows = await store.db.selectFrom('locks').select('name').where('name', 'like', 'n%').execute()
  // One more may be there whose acknowledgement was on its way.
  assert.ok(rows.length === acknowledged || rows.length === acknowledged + 1, `${rows.length}`)
  await store.close()
})

const writer = (module: string, path: string): string => `
  import { writeSync } from 'node:fs'
  const { openStore } = await import(${module})
  const store = await openStore({ url: ${JSON.stringify(path)} })
  for (let i = 1; ; i++) {
    await store.transaction(tx => tx.insertInto('locks').values({ name: 'n' + i, taken: i }).execute())
    writeSync(1, i + '\\n')
  }`

test('a store from a newer Atelier is refused and left alone', async () => {
  const path = freshPath()
  await (await openStore({ url: path })).close()
  const database = new DatabaseSync(path)
  database.exec(`insert into migrations values (9999, 'from the future')`)
  database.close()
  await assert.rejects(openStore({ url: path }), { code: 'INVALID_INPUT', message: /newer Atelier/ })
  await assert.rejects(openStore({ url: path }), { code: 'INVALID_INPUT' }) // the lock was given back
})

test('a file that is no database is refused by name', async () => {
  const path = join(root, 'no-database')
  await writeFile(path, 'certainly not a database, and longer than its header would be'.repeat(50))
  await assert.rejects(openStore({ url: path }), { code: 'INVALID_INPUT', message: /no-database/ })
})

test('an engine that there is not is refused by name', async () => {
  await assert.rejects(openStore({ url: 'oracle://host/db' }), { code: 'INVALID_INPUT', message: /oracle/ })
})

test('a full store is STORAGE_FULL, keeps what it has, and works again with space', async () => {
  const path = freshPath()
  const full = await openStore({ url: path, sizeBytesMax: 400_000 })
  let stored = 0
  const fill = async (): Promise<void> => {
    for (; ; stored++) await insertBig(full, stored)
  }
  await assert.rejects(fill(), { code: 'STORAGE_FULL' })
  assert.ok(stored > 0)
  await assert.rejects(insertBig(full, stored), { code: 'STORAGE_FULL' })
  await full.db.deleteFrom('projects').where('id', '=', 'p0').execute()
  await insertBig(full, stored)
  await full.close()
  const store = await openStore({ url: path })
  const rows = await store.db.selectFrom('projects').select('id').execute()
  assert.equal(rows.length, stored)
  await store.close()
})

const smallDisk = join(root, 'small-disk')
const mounted = await mountSmallDisk()

test('a disk that is full refuses writes, not reads nor a start, and loses nothing', {
  skip: mounted,
}, async t => {
  t.after(() => spawnSync('umount', ['-l', smallDisk]))
  const path = join(smallDisk, 'atelier.db')
  const filler = join(smallDisk, 'filler')
  await writeFile(filler, Buffer.alloc(1_000_000))
  const store = await openStore({ url: path })
  let stored = 0
  const fill = async (): Promise<void> => {
    for (; ; stored++) await insertBig(store, stored)
  }
  await assert.rejects(fill(), { code: 'STORAGE_FULL' })
  await assert.rejects(insertBig(store, stored), { code: 'STORAGE_FULL' })
  assert.equal((await store.db.selectFrom('projects').select('id').execute()).length, stored)
  await store.close()
  const again = await openStore({ url: path })
  assert.equal((await again.db.selectFrom('projects').select('id').execute()).length, stored)
  await assert.rejects(insertBig(again, stored), { code: 'STORAGE_FULL' })
  await rm(filler, { force: true })
  await again.db.deleteFrom('projects').where('id', '=', 'p0').execute()
  await insertBig(again, stored)
  await again.close()
})

/** Why there is no disk of two megabytes to fill, or `false` when there is one. */
async function mountSmallDisk(): Promise<string | false> {
  await mkdir(smallDisk)
  const { status, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', smallDisk])
  return status === 0 ? false : `this user cannot mount a file system to fill (${error?.message ?? status})`
}

function insertBig(store: Store, n: number): Promise<unknown> {
  return store.transaction(tx =>
    tx
      .insertInto('projects')
      .values({
        id: `p${n}`,
        name: `p${n}`,
        description: 'x'.repeat(20_000),
        enabled: 1,
        quota_json: '{}',
        revision: 1,
        created_at: 0,
        updated_at: 0,
      })
      .execute(),
  )
}

test('a backup taken while writing holds one moment, and restores to it', async () => {
  const path = freshPath()
  const store = await openStore({ url: path })
  const stop = new AbortController()
  let written = 0
  const hundred = Promise.withResolvers<void>()
  // Each transaction writes two rows that belong together.
  const writing = (async () => {
    while (!stop.signal.aborted) {
      await store.transaction(async tx => {
        await tx
          .insertInto('locks')
          .values({ name: `a${written}`, taken: 1 })
          .execute()
        await tx
          .insertInto('locks')
          .values({ name: `b${written}`, taken: 1 })
          .execute()
      })
      if (++written === 100) hundred.resolve()
      await new Promise(resolve => setImmediate(resolve))
    }
  })()
  await hundred.promise
  const target = join(root, 'backup.db')
  const before = written
  await store.backup(target)
  assert.equal((await stat(target)).mode & 0o777, 0o600)
  stop.abort()
  await writing
  await assert.rejects(store.backup(target), { code: 'INVALID_INPUT', message: /exists already/ })
  await assert.rejects(restoreStore(target, path), { code: 'UNAVAILABLE', message: /in use/ })
  await store.close()

  await restoreStore(target, path)
  const restored = await openStore({ url: path })
  const names = (await restored.db.selectFrom('locks').select('name').execute()).map(row => row.name)
  const count = (letter: string): number => names.filter(name => name.startsWith(letter)).length
  assert.equal(count('a'), count('b'))
  assert.ok(count('a') >= before && count('a') <= written)
  await restored.close()
  assert.ok((await readdir(join(path, '..'))).includes('atelier.db.replaced'))
})

test('a restore on a new machine makes the folder', async () => {
  const store = await openStore({ url: freshPath() })
  const backup = join(root, 'fresh.db')
  await store.backup(backup)
  await store.close()
  const path = freshPath()
  await restoreStore(backup, path)
  await (await openStore({ url: path })).close()
})

test('a restore of something else leaves the store as it was', async () => {
  const path = freshPath()
  const store = await openStore({ url: path })
  await store.db.insertInto('locks').values({ name: 'mine', taken: 1 }).execute()
  await store.close()
  const other = join(root, 'other.db')
  const database = new DatabaseSync(other)
  database.exec('create table t (a)')
  database.close()
  await assert.rejects(restoreStore(other, path), { code: 'INVALID_INPUT', message: /not a backup/ })
  await assert.rejects(restoreStore(join(root, 'missing.db'), path), { code: 'INVALID_INPUT' })
  const again = await openStore({ url: path })
  const row = await again.db.selectFrom('locks').select('taken').where('name', '=', 'mine').executeTakeFirst()
  assert.equal(row?.taken, 1)
  await again.close()
})

test('a restore takes the place of a damaged store with a log beside it', async () => {
  const path = freshPath()
  const store = await openStore({ url: path })
  await store.db.insertInto('locks').values({ name: 'saved', taken: 1 }).execute()
  const backup = join(root, 'good.db')
  await store.backup(backup)
  await store.close()
  await writeFile(path, 'damaged')
  await writeFile(`${path}-wal`, 'damaged')
  await restoreStore(backup, path)
  const again = await openStore({ url: path })
  const row = await again.db
    .selectFrom('locks')
    .select('taken')
    .where('name', '=', 'saved')
    .executeTakeFirst()
  assert.equal(row?.taken, 1)
  await again.close()
})

test('statements sent together are undone together when one of them fails', async () => {
  const store = await openEventStore({ url: freshPath() })
  const node = (id: string): { id: string; beat: number } => ({ id, beat: 1 })
  await store.db.insertInto('async_nodes').values(node('there')).execute()
  await assert.rejects(
    store.transaction(tx =>
      Promise.all(
        ['before', 'there', 'after'].map(id => tx.insertInto('async_nodes').values(node(id)).execute()),
      ),
    ),
    { code: 'CONFLICT' },
  )
  const ids = await store.db.selectFrom('async_nodes').select('id').execute()
  assert.deepEqual(ids, [{ id: 'there' }])
  await store.close()
})

test('bytes come back as they went in, also those that are part of a larger buffer', async () => {
  const store = await openEventStore({ url: freshPath() })
  const large = Buffer.alloc(100_000, 7)
  const bodies = [large.subarray(10, 13), large, Buffer.alloc(0)]
  for (const [index, body] of bodies.entries())
    await store.db
      .insertInto('async_payloads')
      .values({ id: `${index}`, head_json: '[]', body })
      .execute()
  const rows = await store.db.selectFrom('async_payloads').select('body').orderBy('id').execute()
  assert.deepEqual(
    rows.map(({ body }) => Buffer.from(body!)),
    bodies,
  )
  assert.equal(large.length, 100_000) // what was given is still the giver's
  await store.close()
})

test('an event store that is full refuses as a whole, keeps what it has, and works again with space', async () => {
  const store = await openEventStore({ url: freshPath(), sizeBytesMax: 400_000 })
  let stored = 0
  const insert = (): Promise<unknown> =>
    store.transaction(tx =>
      Promise.all([
        tx
          .insertInto('async_nodes')
          .values({ id: `n${stored}`, beat: 1 })
          .execute(),
        tx
          .insertInto('async_payloads')
          .values({ id: `${stored}`, head_json: '[]', body: Buffer.alloc(20_000) })
          .execute(),
        tx.updateTable('async_nodes').set({ beat: 2 }).where('id', '=', `n${stored}`).execute(),
      ]),
    )
  const fill = async (): Promise<void> => {
    for (; ; stored++) await insert()
  }
  await assert.rejects(fill(), { code: 'STORAGE_FULL' })
  assert.equal((await store.db.selectFrom('async_nodes').select('id').execute()).length, stored)
  await store.db.deleteFrom('async_payloads').execute()
  await insert()
  await store.close()
})

test('a control store and an event store do not take the place of each other', async () => {
  const path = freshPath()
  const store = await openEventStore({ url: path })
  const backup = join(root, 'events.db')
  await store.backup(backup)
  await store.close()
  await assert.rejects(restoreStore(backup, path), { code: 'INVALID_INPUT', message: /not a backup/ })
  await restoreStore(backup, path, 'events')
  await (await openEventStore({ url: path })).close()
})
