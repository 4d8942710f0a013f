import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EventStore, openEventStore, openStore, type Store } from '../../src/store/index.ts'
import { atelier, freshHome } from './fixture.ts'

/** A data directory with a real database in it, that holds `lock` names as its data. */
async function dataDirectory(
  t: TestContext,
): Promise<{ home: string; data: string; open(): Promise<Store> }> {
  const home = await freshHome(t)
  const data = join(home, 'data')
  for (const folder of ['packages/packages', 'packages/tmp/half', 'packages/dependencies', 'run'])
    await mkdir(join(data, folder), { recursive: true })
  await writeFile(join(data, 'packages', 'packages', 'one'), 'a package')
  await writeFile(join(data, 'secret.key'), 'the key', { mode: 0o600 })
  return { home, data, open: () => openStore({ url: join(data, 'atelier.db') }) }
}

async function note(store: Store, name: string): Promise<void> {
  await store.db.insertInto('locks').values({ name, taken: 1 }).execute()
}

async function notes(open: () => Promise<Store>): Promise<string[]> {
  const store = await open()
  const rows = await store.db
    .selectFrom('locks')
    .select('name')
    .where('name', 'like', 'test-%')
    .orderBy('name')
    .execute()
  await store.close()
  return rows.map(row => row.name)
}

test('a backup of a store in use, restored, brings back what there was then, with key and packages', async t => {
  const { home, data, open } = await dataDirectory(t)
  const store = await open()
  await note(store, 'test-before')
  const made = await atelier(home, ['backup', 'saved'])
  assert.equal(made.code, 0, made.stderr)
  assert.equal(made.stdout, `${join(home, 'saved')}\n`)
  assert.equal((await stat(join(home, 'saved'))).mode & 0o077, 0)
  assert.deepEqual((await readdir(join(home, 'saved', 'packages'))).sort(), ['packages'])
  await note(store, 'test-after')
  await store.close()
  await writeFile(join(data, 'secret.key'), 'another key')
  await rm(join(data, 'packages'), { recursive: true })

  const restored = await atelier(home, ['restore', 'saved', '--yes'])
  assert.equal(restored.code, 0, restored.stderr)
  assert.deepEqual(await notes(open), ['test-before'])
  assert.equal(await readFile(join(data, 'secret.key'), 'utf8'), 'the key')
  assert.equal(await readFile(join(data, 'packages', 'packages', 'one'), 'utf8'), 'a package')
  assert.ok(!(await readdir(data)).some(name => name.startsWith('incoming')))
})

test('a restore is refused while the store is in use, and changes nothing', async t => {
  const { home, data, open } = await dataDirectory(t)
  const store = await open()
  t.after(() => store.close())
  assert.equal((await atelier(home, ['backup', 'saved'])).code, 0)
  await note(store, 'test-after')
  await writeFile(join(data, 'secret.key'), 'newer key')
  const { code, stderr } = await atelier(home, ['restore', 'saved', '--yes'])
  assert.doesNotMatch(stderr, /copy/, 'before anything is copied')
  assert.notEqual(code, 0)
  assert.match(stderr, /error: /)
  assert.equal(await readFile(join(data, 'secret.key'), 'utf8'), 'newer key')
  assert.ok(!(await readdir(data)).some(name => name.startsWith('incoming')))
})

test('a damaged backup is refused, and the data stays', async t => {
  const { home, data, open } = await dataDirectory(t)
  const store = await open()
  await note(store, 'test-kept')
  await store.close()
  assert.equal((await atelier(home, ['backup', 'saved'])).code, 0)
  await writeFile(join(home, 'saved', 'atelier.db'), 'no database')
  const { code, stderr } = await atelier(home, ['restore', 'saved', '--yes'])
  assert.notEqual(code, 0)
  assert.match(stderr, /not a backup/)
  assert.deepEqual(await notes(open), ['test-kept'])
  assert.ok(existsSync(join(data, 'packages', 'packages', 'one')))
})

test('a backup overwrites nothing, and what is no data directory is said so', async t => {
  const { home, open } = await dataDirectory(t)
  await (await open()).close()
  await mkdir(join(home, 'taken'))
  assert.equal((await atelier(home, ['backup', 'taken'])).code, 2)
  const { code, stderr } = await atelier(home, ['backup', 'x', '--home', join(home, 'taken')])
  assert.equal(code, 3)
  assert.match(stderr, /holds no data of Atelier/)
})

test('queued calls are backed up and restored with the rest; a backup without them leaves none', async t => {
  const { home, data, open } = await dataDirectory(t)
  await (await open()).close()
  assert.equal((await atelier(home, ['backup', 'without'])).code, 0)
  const events = (): Promise<EventStore> => openEventStore({ url: join(data, 'events.db') })
  const ids = async (): Promise<string[]> => {
    const store = await events()
    const rows = await store.db.selectFrom('async_nodes').select('id').orderBy('id').execute()
    await store.close()
    return rows.map(({ id }) => id)
  }
  const store = await events()
  await store.db.insertInto('async_nodes').values({ id: 'before', beat: 1 }).execute()
  const made = await atelier(home, ['backup', 'with'])
  assert.equal(made.code, 0, made.stderr)
  await store.db.insertInto('async_nodes').values({ id: 'later', beat: 1 }).execute()
  await store.close()
  assert.equal((await atelier(home, ['restore', 'with', '--yes'])).code, 0)
  assert.deepEqual(await ids(), ['before'])
  await writeFile(join(home, 'with', 'events.db'), 'no database')
  const damaged = await atelier(home, ['restore', 'with', '--yes'])
  assert.notEqual(damaged.code, 0)
  assert.match(damaged.stderr, /not a backup/)
  assert.deepEqual(await ids(), ['before'])
  assert.equal((await atelier(home, ['restore', 'without', '--yes'])).code, 0)
  assert.deepEqual(await ids(), [])
  assert.ok((await readdir(data)).includes('events.db.replaced'))
})
