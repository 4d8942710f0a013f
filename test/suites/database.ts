import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { openEventStore, openStore } from '../../src/store/index.ts'
import { CONTROL_LAYOUT } from '../../src/store/migrations/index.ts'
import { opensslMissing } from '../support/brokers/certificates.ts'
import type { Database } from '../support/databases/database.ts'
import { asyncSuite } from './async.ts'
import { storeSuite } from './store.ts'

interface DatabaseUnderTest {
  readonly start: () => Promise<Database>
  readonly missing: string | undefined
  /** SQL that tells, in a column `cipher`, what the connection that asks is encrypted with. */
  readonly cipher: string
}

/** What must hold on a database server: the suites of the stores, and what is peculiar to a store that nodes share. */
export function databaseSuite(name: string, { start, missing, cipher }: DatabaseUnderTest): void {
  describe(name, { skip: missing ?? false }, () => {
    let server: Database
    before(async () => {
      server = await start()
    })
    after(async () => {
      await server.daemon.stop('SIGQUIT') // PostgreSQL's processes are no group
      await server.daemon.close()
    })

    storeSuite(name, async () => {
      const url = await server.create()
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

    asyncSuite(name, async () => {
      const store = await openEventStore({ url: await server.create() })
      return { store, dispose: () => store.close() }
    })

    describe(`${name} by TLS`, { skip: opensslMissing ?? false }, () => {
      const url = async (host: string, mode: string, ca?: string) => {
        const query = new URLSearchParams({ 'ssl-mode': mode, ...(ca !== undefined && { 'ssl-ca': ca }) })
        return `${(await server.create()).replace('127.0.0.1', host)}?${query.toString()}`
      }
      const isRefused = (code: string, message: RegExp) => (error: Error & { code?: string }) => {
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /p@ss|p%40ss/)
        return true
      }

      for (const [host, mode, isNamed] of [
        ['localhost', 'verify-full', true],
        ['127.0.0.1', 'verify-ca', true],
        ['127.0.0.1', 'require', false],
      ] as const)
        test(`${mode} is encrypted`, async () => {
          const ca = isNamed ? server.certificates!.caPath : undefined
          const store = await openStore({ url: await url(host, mode, ca) })
          const { rows } = await sql<{ cipher: string }>`${sql.raw(cipher)}`.execute(store.db)
          assert.match(rows[0]!.cipher, /^TLS_|^ECDHE/)
          await store.close()
        })

      test('without, it is not', async () => {
        const store = await openStore({ url: await server.create() })
        const { rows } = await sql<{ cipher: string | null }>`${sql.raw(cipher)}`.execute(store.db)
        assert.equal(rows[0]!.cipher || null, null)
        await store.close()
      })

      test('a certificate of another authority is refused, and told so', async () => {
        const other = join(dirname(server.certificates!.caPath), 'other-ca.pem')
        for (const mode of ['require', 'verify-ca', 'verify-full'])
          await assert.rejects(
            openStore({ url: await url('localhost', mode, other) }),
            isRefused('UNAVAILABLE', /is not trusted \(.*certificate.*\): check its certificate/),
          )
        // Nobody in between is let in for want of an authority.
        await assert.rejects(
          openStore({ url: await url('localhost', 'verify-full') }),
          isRefused('UNAVAILABLE', /is not trusted/),
        )
      })

      test('verify-full refuses a certificate that is not of this host', async () => {
        const ca = server.certificates!.caPath
        await assert.rejects(
          openStore({ url: await url('127.0.0.2', 'verify-full', ca) }),
          name === 'PostgreSQL'
            ? isRefused('UNAVAILABLE', /is not trusted \(.*127\.0\.0\.2/)
            : isRefused('INVALID_INPUT', /needs the name of the host/),
        )
      })
    })

    describe(`nodes that share ${name}`, () => {
      test('several open one empty database at once, and its tables are made once', async () => {
        const url = await server.create()
        const stores = await Promise.all(
          Array.from({ length: 4 }, () => Promise.all([openStore({ url }), openEventStore({ url })])),
        )
        const locks = await stores[0]![0].db.selectFrom('locks').select('name').execute()
        assert.equal(new Set(locks.map(each => each.name)).size, locks.length)
        for (const store of stores.flat()) await store.close()
      })

      test('their transactions lose no update', async () => {
        const url = await server.create()
        const [one, other] = await Promise.all([openStore({ url }), openStore({ url })])
        await one.db.insertInto('locks').values({ name: 'counter', taken: 0 }).execute()
        const counter = (store: typeof one) =>
          store.db.selectFrom('locks').select('taken').where('name', '=', 'counter').executeTakeFirstOrThrow()
        await Promise.all(
          [one, other, one, other, one, other, one, other].map(store =>
            store.transaction(async tx => {
              const { taken } = await tx
                .selectFrom('locks')
                .select('taken')
                .where('name', '=', 'counter')
                .executeTakeFirstOrThrow()
              await tx
                .updateTable('locks')
                .set({ taken: taken + 1 })
                .where('name', '=', 'counter')
                .execute()
            }),
          ),
        )
        assert.deepEqual([(await counter(one)).taken, (await counter(other)).taken], [8, 8])
        await Promise.all([one.close(), other.close()])
      })

      test('a database of a newer Atelier is refused, and not changed', async () => {
        const url = await server.create()
        await (await openStore({ url })).close()
        const database = new URL(url).pathname.slice(1)
        await server.ask(database, `insert into migrations (number, name) values (999, 'later')`)
        await assert.rejects(openStore({ url }), { code: 'INVALID_INPUT', message: /newer Atelier/ })
      })

      test('servers that start at the same moment on an empty database make its tables once', async () => {
        const url = await server.create()
        const stores = await Promise.all(Array.from({ length: 4 }, () => openStore({ url })))
        await Promise.all(stores.map(each => each.close()))
        const steps = await server.ask(new URL(url).pathname.slice(1), 'select count(*) from migrations')
        assert.equal(Number(steps), CONTROL_LAYOUT.steps.length)
      })

      test('counts and sums are numbers', async () => {
        const store = await openEventStore({ url: await server.create() })
        await store.db
          .insertInto('async_nodes')
          .values({ id: 'a', beat: 2 ** 40 })
          .execute()
        await store.db.insertInto('async_nodes').values({ id: 'b', beat: 1 }).execute()
        const row = await store.db
          .selectFrom('async_nodes')
          .select(({ fn }) => [
            fn.countAll().as('count'),
            fn.sum('beat').as('sum'),
            fn.max('beat').as('most'),
          ])
          .executeTakeFirst()
        assert.deepEqual(row, { count: 2, sum: 2 ** 40 + 1, most: 2 ** 40 })
        await store.close()
      })

      test('bytes come back as they went in', async () => {
        const store = await openEventStore({ url: await server.create() })
        const body = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256)
        await store.db.insertInto('async_results').values({ id: 'x', headers_json: '[]', body }).execute()
        const row = await store.db.selectFrom('async_results').selectAll().executeTakeFirstOrThrow()
        assert.ok(Buffer.from(row.body).equals(Buffer.from(body)))
        await store.close()
      })

      test('after a statement has failed, the transaction runs no other', async () => {
        const store = await openStore({ url: await server.create() })
        const insert = (tx: typeof store.db, lock: string) =>
          tx.insertInto('locks').values({ name: lock, taken: 0 }).execute()
        await assert.rejects(
          store.transaction(async tx => {
            await insert(tx, 'first')
            await insert(tx, 'first').catch(() => {})
            await insert(tx, 'second')
          }),
          { code: 'CONFLICT' },
        )
        const rows = await store.db
          .selectFrom('locks')
          .select('name')
          .where('name', 'in', ['first', 'second'])
          .execute()
        assert.deepEqual(rows, [])
        await store.close()
      })

      test('a wrong password is told without the password', async () => {
        const url = (await server.create()).replace('p%40ss%2Fword', 'hush-hush')
        // PostgreSQL trusts loopback in this test: a user that is not there is refused all the same.
        const wrong = url.replace('atelier:', 'stranger:')
        await assert.rejects(openStore({ url: wrong }), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'UNAVAILABLE')
          assert.match(error.message, /check --db-uri/)
          assert.doesNotMatch(JSON.stringify([error, error.message, error.stack, error.cause]), /hush-hush/)
          return true
        })
      })

      test('a failing statement does not carry its values', async () => {
        const store = await openStore({ url: await server.create() })
        const failed = sql`insert into no_such_table values (${'a secret value'})`.execute(store.db)
        await assert.rejects(failed, (error: Error) => {
          const all = JSON.stringify([Object.entries(error), error.message, error.cause])
          assert.doesNotMatch(all, /a secret value/)
          return true
        })
        await store.close()
      })

      test('a server that goes is UNAVAILABLE, and a store goes on when it is back', async () => {
        const url = await server.create()
        const store = await openStore({ url })
        await server.daemon.stop('SIGQUIT')
        await assert.rejects(store.db.selectFrom('users').selectAll().execute(), { code: 'UNAVAILABLE' })
        await assert.rejects(
          store.transaction(async () => 1),
          { code: 'UNAVAILABLE' },
        )
        await server.daemon.start()
        assert.equal(await store.transaction(async () => 1), 1)
        assert.deepEqual(await store.db.selectFrom('users').selectAll().execute(), [])
        await store.close()
      })
    })
  })
}
