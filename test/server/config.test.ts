import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig } from '../../src/server/config.ts'

test('flags win over the environment, that over the file, and that over the defaults', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'atelier.yaml')
  writeFileSync(file, 'port: 1\nrouter-port: 2\nhost: 127.0.0.3\n')
  const config = await readConfig({
    flags: { port: '11' },
    env: { ATELIER_PORT: '12', ATELIER_ROUTER_PORT: '22', ATELIER_HOME: folder },
    file,
  })
  assert.equal(config.port, 11)
  assert.equal(config['router-port'], 22)
  assert.equal(config.host, '127.0.0.3')
  assert.equal(config.isolation, 'auto')
  assert.equal(config.home, folder)
})

test('a setting without a value in the file has its default', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'atelier.yaml')
  writeFileSync(file, 'db-uri:\nport:\n')
  const [config, without] = [
    await readConfig({ flags: {}, env: { ATELIER_HOME: folder }, file }),
    await readConfig({ flags: {}, env: { ATELIER_HOME: folder } }),
  ]
  assert.deepEqual(config, without)
})

test('everything that is wrong is told at once, with its place', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'atelier.yaml')
  writeFileSync(file, 'prot: 1\n')
  await assert.rejects(
    () => readConfig({ flags: { port: '99999' }, env: { ATELIER_ISOLATION: 'maybe' }, file }),
    (error: Error) => {
      assert.match(error.message, /--port: "99999" is not a whole number from 0 to 65535/)
      assert.match(error.message, /ATELIER_ISOLATION: "maybe" is none of auto, bubblewrap, unshare, none/)
      assert.match(error.message, /atelier\.yaml: prot: there is no such setting/)
      return true
    },
  )
})

test('a file that is not YAML is refused with the place of the mistake', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'atelier.yaml')
  writeFileSync(file, 'port: [1\n')
  await assert.rejects(() => readConfig({ flags: {}, env: {}, file }), /neither YAML nor JSON \(at line \d+/)
})
