import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isServerUri, openStore } from '../../src/store/index.ts'
import { placeOf, readAddress } from '../../src/store/server/uri.ts'

test('addresses of SQLAlchemy, of libpq and of MySQL are understood', () => {
  const address = readAddress('mysql+pymysql://nova:p%40ss%2F@db.example:3307/atelier?charset=utf8')!
  const { kind, host, port, user, password, database, tls } = address
  assert.deepEqual(
    [kind, host, port, user, password, database, tls],
    ['mysql', 'db.example', 3307, 'nova', 'p@ss/', 'atelier', undefined],
  )
  assert.equal(placeOf(address), 'mysql://db.example:3307/atelier')
  assert.equal(readAddress('postgresql://a:b@[::1]/x')?.host, '::1')
  assert.equal(readAddress('postgres://a:b@localhost/x?host=/run/pg')?.socketPath, '/run/pg')
  assert.equal(isServerUri('sqlite:/srv/atelier.db'), false)
  for (const scheme of ['mysql', 'MYSQL', 'mariadb', 'mysql+mysqldb', 'mariadb+pymysql'])
    assert.equal(readAddress(`${scheme}://a:b@h/x`)?.kind, 'mysql', scheme)
  for (const scheme of ['postgres', 'postgresql', 'postgresql+psycopg2', 'postgresql+asyncpg'])
    assert.equal(readAddress(`${scheme}://a:b@h/x`)?.kind, 'postgres', scheme)
})

test('TLS is as strict as it was asked for, and never a wish', () => {
  const tlsOf = (parameters: string) => readAddress(`postgres://a:b@h/x?${parameters}`)!.tls
  assert.deepEqual(
    [tlsOf('sslmode=require')?.isVerified, tlsOf('sslmode=require')?.isHostVerified],
    [false, false],
  )
  assert.equal(tlsOf('sslmode=verify-full')?.isHostVerified, true)
  assert.equal(tlsOf('sslmode=disable'), undefined)
  assert.throws(() => tlsOf('sslmode=prefer'), { code: 'INVALID_INPUT' })
})

test('an address that cannot be used is refused without repeating it', () => {
  for (const uri of [
    'mysql://user:hush-hush@host',
    'mysql://:hush-hush@host/x',
    'mysql://user:hush-hush@host:port/x',
    'mysql://user:hush-hush%@host/x',
    'postgres://user:hush-hush@host/x?sslmod=require',
  ])
    assert.throws(
      () => readAddress(uri),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_INPUT')
        assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /hush-hush/)
        return true
      },
    )
})

test('another kind of database is refused by its name, without its password', async () => {
  for (const scheme of ['mongodb', 'MongoDB', 'mssql+pyodbc', 'redis', 'http', 'oracle'])
    await assert.rejects(openStore({ url: `${scheme}://user:hush-hush@host/x` }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`cannot be ${scheme.toLowerCase().replace('+', '.')}: use sqlite:`),
      )
      assert.doesNotMatch(`${error.message} ${error.stack}`, /hush/)
      return true
    })
})

test('a file is named with its path, with or without the scheme', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-uri-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [n, prefix] of ['', 'sqlite:', 'sqlite://', 'SQLite:'].entries()) {
    const path = join(folder, `${n}.db`)
    await (await openStore({ url: `${prefix}${path}` })).close()
    assert.ok(existsSync(path), prefix)
  }
})

test('a database server that is not there is UNAVAILABLE, by its place', async () => {
  for (const scheme of ['mysql', 'postgres'])
    await assert.rejects(openStore({ url: `${scheme}://user:hush-hush@127.0.0.1:1/x` }), {
      code: 'UNAVAILABLE',
      message: `The database ${scheme}://127.0.0.1:1/x does not answer; try again.`,
    })
})
