import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createControl, openSecretKeys } from '../../src/control/index.ts'
import { seal, unseal } from '../../src/control/sealing.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

test('a secret comes out for an instance only, and is in no list and no file', async () => {
  const by = await fixture.member('vault')
  const value = 'correct horse battery staple'
  const info = await fixture.control.putSecret(by, 'PASS', value)
  assert.deepEqual(await fixture.control.listSecrets(by, {}), { items: [info] })
  assert.ok(!JSON.stringify(info).includes(value))
  const copy = join(fixture.folder, 'copy.db')
  await fixture.store.backup(copy)
  assert.ok(!(await readFile(copy)).includes(value))
  assert.deepEqual(await fixture.control.secrets.read(by.projectId, ['PASS']), { PASS: value })
})

test('setting a secret again replaces it and counts', async () => {
  const by = await fixture.member('vault')
  await fixture.control.putSecret(by, 'TWICE', 'a')
  fixture.clock.advance(5)
  const info = await fixture.control.putSecret(by, 'TWICE', 'b')
  assert.deepEqual([info.revision, info.updatedAt - info.createdAt], [2, 5])
  assert.deepEqual(await fixture.control.secrets.read(by.projectId, ['TWICE']), { TWICE: 'b' })
})

test('a deleted secret stops a starting instance by name', async () => {
  const by = await fixture.member('vault')
  await fixture.control.putSecret(by, 'GONE', 'x')
  await fixture.control.deleteSecret(by, 'GONE')
  await assert.rejects(fixture.control.secrets.read(by.projectId, ['GONE']), {
    code: 'FUNCTION_LOAD_FAILED',
    message: /"GONE"/,
  })
  await assert.rejects(fixture.control.deleteSecret(by, 'GONE'), { code: 'NOT_FOUND' })
})

test('values that cannot be are refused without repeating them', async () => {
  const by = await fixture.member('vault')
  for (const value of ['a\0b', 'x'.repeat(65_537)])
    await assert.rejects(
      fixture.control.putSecret(by, 'BAD', value),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, 'INVALID_INPUT')
        assert.ok(error.message.length < 100)
        return true
      },
    )
})

test('a sealed text cannot be moved to another name or project, nor changed', async () => {
  const keys = await openSecretKeys(join(fixture.folder, 'secret.key'))
  const sealed = seal(keys, ['project', 'A'], 'value')
  assert.equal(unseal(keys, ['project', 'A'], sealed), 'value')
  const flipped = `${sealed.slice(0, -2)}${sealed.at(-2) === 'A' ? 'B' : 'A'}${sealed.slice(-1)}`
  for (const [place, text] of [
    [['project', 'B'], sealed],
    [['other', 'A'], sealed],
    [['project', 'A'], flipped],
    [['project', 'A'], sealed.slice(0, 30)],
    [['project', 'A'], ''],
  ] as const)
    assert.throws(() => unseal(keys, place, text), { code: 'INTERNAL' })
})

test('the key file is for its owner alone, stays, and is refused when it is damaged', async () => {
  const path = join(fixture.folder, 'keys', 'secret.key')
  const keys = await openSecretKeys(path)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await openSecretKeys(path), keys)
  await writeFile(path, 'rubbish\n')
  await assert.rejects(openSecretKeys(path), { code: 'INVALID_INPUT', message: /secret\.key/ })
})

test('after a rotation old secrets open with the old key and new ones are sealed with the new', async () => {
  const path = join(fixture.folder, 'rotate.key')
  const before = await openSecretKeys(path)
  const old = seal(before, ['p', 'A'], 'old')
  await writeFile(path, `next ${Buffer.alloc(32, 7).toString('base64')}\n${await readFile(path, 'utf8')}`)
  const rotated = await openSecretKeys(path)
  assert.equal(unseal(rotated, ['p', 'A'], old), 'old')
  assert.match(seal(rotated, ['p', 'A'], 'new'), /^next\./)
})

test('a start without the key of its secrets says so', async () => {
  const by = await fixture.member('vault')
  await fixture.control.putSecret(by, 'KEPT', 'x')
  await rm(join(fixture.folder, 'other.key'), { force: true })
  const secretsKey = await openSecretKeys(join(fixture.folder, 'other.key'))
  const start = createControl({
    store: fixture.store,
    builder: fixture.builder,
    table: fixture.table,
    clock: fixture.clock,
    secretsKey,
    environments: [],
    routerUrl: () => 'http://127.0.0.1:1882',
    versionsKept: 3,
    networkAvailable: true,
  })
  await assert.rejects(start, { code: 'INTERNAL', message: /secret\.key/ })
})
