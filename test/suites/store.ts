import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import type { Store } from '../../src/store/index.ts'

export interface StoreFixture {
  readonly store: Store
  /** Closes the store and opens it again, on what it has kept. */
  reopen(): Promise<Store>
  dispose(): Promise<void>
}

/** What any store must do, whichever database stands behind it. */
export function storeSuite(
  name: string,
  open: () => Promise<StoreFixture>,
  options: { skip?: string | false } = {},
): void {
  describe(`the ${name} store`, { skip: options.skip ?? false }, () => {
    let fixture: StoreFixture
    let store: Store
    before(async () => {
      fixture = await open()
      store = fixture.store
    })
    after(() => fixture.dispose())

    test('a transaction that resolves is seen by everybody', async () => {
      const answer = await store.transaction(async tx => {
        await tx.insertInto('users').values(user('seen')).execute()
        return 7
      })
      assert.equal(answer, 7)
      assert.deepEqual(await userNames(store, 'seen'), ['seen'])
    })

    test('a transaction that throws leaves nothing, and the next one works', async () => {
      const failure = new Error('on purpose')
      const failed = store.transaction(async tx => {
        await tx.insertInto('users').values(user('undone')).execute()
        throw failure
      })
      await assert.rejects(failed, failure)
      assert.deepEqual(await userNames(store, 'undone'), [])
      await store.transaction(tx => tx.insertInto('users').values(user('done')).execute())
      assert.deepEqual(await userNames(store, 'done'), ['done'])
    })

    test('what a transaction has not committed is seen by nobody else', async () => {
      const seen: string[][] = []
      await store.transaction(async tx => {
        await tx.insertInto('users').values(user('pending')).execute()
        seen.push(await userNames(store, 'pending'))
      })
      seen.push(await userNames(store, 'pending'))
      assert.deepEqual(seen, [[], ['pending']])
    })

    test('a write beside a transaction that fails is kept', async () => {
      let started = (): void => {}
      const running = new Promise<void>(resolve => (started = resolve))
      const failing = store.transaction(async tx => {
        await tx.insertInto('users').values(user('gone')).execute()
        started()
        await new Promise(resolve => setImmediate(resolve))
        throw new Error('on purpose')
      })
      await running
      const beside = store.db.insertInto('users').values(user('beside')).execute()
      await assert.rejects(failing, /on purpose/)
      await beside
      assert.deepEqual(await userNames(store, 'gone'), [])
      assert.deepEqual(await userNames(store, 'beside'), ['beside'])
    })

    test('transactions at once lose no update', async () => {
      await store.db.insertInto('locks').values({ name: 'counter', taken: 0 }).execute()
      await Promise.all(
        Array.from({ length: 50 }, () =>
          store.transaction(async tx => {
            const row = await tx
              .selectFrom('locks')
              .select('taken')
              .where('name', '=', 'counter')
              .executeTakeFirstOrThrow()
            await new Promise(resolve => setImmediate(resolve))
            await tx
              .updateTable('locks')
              .set({ taken: row.taken + 1 })
              .where('name', '=', 'counter')
              .execute()
          }),
        ),
      )
      const row = await store.db
        .selectFrom('locks')
        .select('taken')
        .where('name', '=', 'counter')
        .executeTakeFirstOrThrow()
      assert.equal(row.taken, 50)
    })

    test('a key that exists is CONFLICT', async () => {
      await store.db.insertInto('users').values(user('twice')).execute()
      await assert.rejects(store.db.insertInto('users').values(user('twice')).execute(), { code: 'CONFLICT' })
      await assert.rejects(
        store.transaction(tx => tx.insertInto('users').values(user('twice')).execute()),
        { code: 'CONFLICT' },
      )
    })

    test('a row cannot refer to what does not exist', async () => {
      const orphan = { user_id: 'nobody', project_id: 'nothing', role: 'member' as const }
      await assert.rejects(store.db.insertInto('grants').values(orphan).execute())
    })

    test('names differ by the case of their letters', async () => {
      await store.db.insertInto('users').values(user('Case')).execute()
      await store.db.insertInto('users').values(user('case')).execute()
      assert.deepEqual(await userNames(store, 'case'), ['case'])
    })

    test('times, long texts and every character come back as they went in', async () => {
      const text = `${'x'.repeat(100_000)} \u{1f3a8} ' " \\ % _ \n é`
      await store.db
        .insertInto('projects')
        .values({
          id: 'texts',
          name: 'texts',
          description: text,
          enabled: 1,
          quota_json: '{}',
          revision: 1,
          created_at: 4_102_444_800_123,
          updated_at: 0,
        })
        .execute()
      const row = await store.db
        .selectFrom('projects')
        .selectAll()
        .where('id', '=', 'texts')
        .executeTakeFirstOrThrow()
      assert.equal(row.description, text)
      assert.equal(row.created_at, 4_102_444_800_123)
    })

    test('an update and a delete tell how many rows they met', async () => {
      await store.db.insertInto('users').values(user('counted')).execute()
      const updated = await store.db
        .updateTable('users')
        .set({ enabled: 0 })
        .where('name', '=', 'counted')
        .executeTakeFirst()
      assert.equal(updated.numUpdatedRows, 1n)
      const deleted = await store.db.deleteFrom('users').where('name', '=', 'missing').executeTakeFirst()
      assert.equal(deleted.numDeletedRows, 0n)
    })

    test('a relaxed transaction commits and undoes like any other', async () => {
      await store.transaction(tx => tx.insertInto('users').values(user('relaxed')).execute(), {
        relaxed: true,
      })
      await assert.rejects(
        store.transaction(
          async tx => {
            await tx.insertInto('users').values(user('relaxed-undone')).execute()
            throw new Error('on purpose')
          },
          { relaxed: true },
        ),
        /on purpose/,
      )
      assert.deepEqual(await userNames(store, 'relaxed'), ['relaxed'])
      assert.deepEqual(await userNames(store, 'relaxed-undone'), [])
    })

    test('a transaction within a transaction is refused instead of waiting for itself', async () => {
      await assert.rejects(
        store.transaction(() => store.transaction(async () => 1)),
        /within a transaction/,
      )
      assert.equal(await store.transaction(async () => 1), 1)
    })

    test('more different statements than are kept prepared go on working', async () => {
      for (let width = 1; width <= 600; width++) {
        const rows = await sql<{ n: number }>`select ${sql.raw(String(width))} + ${1} as n`.execute(store.db)
        assert.equal(rows.rows[0]?.n, width + 1)
      }
    })

    test('everything is there after closing and opening again', async () => {
      await store.db.insertInto('users').values(user('kept')).execute()
      store = await fixture.reopen()
      assert.deepEqual(await userNames(store, 'kept'), ['kept'])
    })
  })
}

function user(name: string): {
  id: string
  name: string
  password_hash: string
  enabled: number
  created_at: number
} {
  return { id: name, name, password_hash: '', enabled: 1, created_at: 1 }
}

async function userNames(store: Store, name: string): Promise<string[]> {
  const rows = await store.db.selectFrom('users').select('name').where('name', '=', name).execute()
  return rows.map(row => row.name)
}
