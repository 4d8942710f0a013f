import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { atelier, freshHome } from './fixture.ts'

interface Status {
  readonly items: readonly {
    readonly kind: string
    readonly taken: number
    readonly known: number
    readonly pending: readonly string[]
    readonly isNewer: boolean
  }[]
}

test('tables are made before a server starts, shown as they are, and those of a newer program are left alone', async t => {
  const home = await freshHome(t)
  const status = async (): Promise<Status['items']> => {
    const { code, stdout, stderr } = await atelier(home, ['db', 'status', '-o', 'json'])
    assert.equal(code, 0, stderr)
    return (JSON.parse(stdout) as Status).items
  }
  const path = join(home, 'data', 'atelier.db')
  const before = await status()
  assert.deepEqual(
    before.map(({ kind, taken, pending, known }) => [kind, taken, pending.length === known]),
    [
      ['control', 0, true],
      ['events', 0, true],
    ],
  )
  assert.equal(existsSync(path), false, 'looking makes nothing')
  const made = await atelier(home, ['db', 'migrate'])
  assert.equal(made.code, 0, made.stderr)
  assert.match(made.stdout, /control: .*atelier\.db is up to date now: identity, control/)
  for (const each of await status()) assert.deepEqual([each.taken, each.pending], [each.known, []])
  assert.match((await atelier(home, ['db', 'migrate'])).stdout, /atelier\.db is up to date$/m)
  const database = new DatabaseSync(path)
  database.exec(`insert into migrations (number, name) values (999, 'later')`)
  database.close()
  assert.equal((await status())[0]?.isNewer, true)
  assert.match((await atelier(home, ['db'])).stdout, /999 of \d+ +of a newer Atelier/)
  const refused = await atelier(home, ['db', 'migrate'])
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /layout 999 of a newer Atelier/)
})

test('a database that cannot be reached or used is named without its password', async t => {
  const home = await freshHome(t)
  for (const [uri, message] of [
    ['postgres://user:hush-hush@127.0.0.1:1/x', /postgres:\/\/127\.0\.0\.1:1\/x does not answer/],
    ['mysql+pymysql://user:hush-hush@127.0.0.1:1/x', /mysql:\/\/127\.0\.0\.1:1\/x does not answer/],
    ['mongodb://user:hush-hush@127.0.0.1/x', /cannot be mongodb/],
    ['mysql://user:hush-hush@127.0.0.1', /names no database/],
  ] as const)
    for (const command of ['status', 'migrate']) {
      const { code, stdout, stderr } = await atelier(home, ['db', command], { env: { ATELIER_DB_URI: uri } })
      assert.notEqual(code, 0)
      assert.match(stderr, message)
      assert.doesNotMatch(stdout + stderr, /hush/)
    }
})
