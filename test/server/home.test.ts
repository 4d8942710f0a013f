import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeFirstLogin, openHome, updateAdminFile } from '../../src/server/home.ts'

const LOGIN = { user: 'admin', password: 'secret', project: 'default' }
const ADDRESSES = { url: 'http://127.0.0.1:1', routerUrl: 'http://127.0.0.1:2' }

test('the first login is kept for its owner alone, and follows the addresses', async t => {
  const home = openHome(mkdtempSync(join(tmpdir(), 'atelier-home-')))
  t.after(() => rmSync(home.path, { recursive: true }))
  const bootstrap = async (save: (login: typeof LOGIN) => Promise<void>) => {
    await save(LOGIN)
    return true
  }
  await makeFirstLogin({ bootstrap }, home)
  updateAdminFile(home, ADDRESSES)
  assert.deepEqual(JSON.parse(readFileSync(home.adminPath, 'utf8')), { ...LOGIN, ...ADDRESSES })
  assert.equal(statSync(home.adminPath).mode & 0o777, 0o600)
})

test('a login that is damaged or taken away keeps no server from starting', t => {
  const home = openHome(mkdtempSync(join(tmpdir(), 'atelier-home-')))
  t.after(() => rmSync(home.path, { recursive: true }))
  updateAdminFile(home, ADDRESSES)
  writeFileSync(home.adminPath, '')
  updateAdminFile(home, ADDRESSES)
  assert.equal(readFileSync(home.adminPath, 'utf8'), '')
})
