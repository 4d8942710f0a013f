import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

test('a project is made, changed, published and deleted', async () => {
  const { control, admin, table } = fixture
  const made = await control.createProject(admin, { name: 'p', description: 'd', quota: { concurrency: 5 } })
  assert.deepEqual(table.projects.get(made.id), { id: made.id, name: 'p', enabled: true, concurrencyMax: 5 })
  await assert.rejects(control.createProject(admin, { name: 'p' }), { code: 'CONFLICT', message: /"p"/ })
  const changed = await control.updateProject(admin, 'p', { enabled: false, quota: {} }, made.revision)
  assert.deepEqual([changed.enabled, changed.description, changed.revision], [false, 'd', 2])
  assert.deepEqual(table.projects.get(made.id), { id: made.id, name: 'p', enabled: false })
  await control.deleteProject(admin, 'p', 2)
  assert.equal(table.projects.get(made.id), undefined)
  await assert.rejects(control.getProject(admin, 'p'), { code: 'NOT_FOUND' })
})

test('a project with apps stays, and so does the one that holds all operators', async () => {
  const by = await fixture.member('full')
  await fixture.control.createApp(by, { name: 'app' })
  await assert.rejects(fixture.control.deleteProject(fixture.admin, 'full'), {
    code: 'CONFLICT',
    message: /"app"/,
  })
  await assert.rejects(fixture.control.deleteProject(fixture.admin, 'default'), {
    code: 'CONFLICT',
    message: /operators/,
  })
})

test('a project that is switched off ends the sessions of its members, not of operators', async () => {
  const { control, identity, admin } = fixture
  await control.createProject(admin, { name: 'off' })
  await identity.createUser(admin, { name: 'mia', password: 'mia-password' })
  await identity.grant(admin, { user: 'mia', project: 'off', role: 'member' })
  const { token } = await identity.login({ user: 'mia', password: 'mia-password' })
  await identity.authenticate(token)
  await control.updateProject(admin, 'off', { enabled: false })
  assert.equal(identity.cached(token), undefined)
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
  assert.equal((await identity.principalFor(admin, { name: 'off' }, token)).projectName, 'off')
  await control.updateProject(admin, 'off', { enabled: true })
  assert.equal((await identity.authenticate(token)).userName, 'mia')
})

test('a quota of functions counts all of them, and not the one that is deployed again', async () => {
  const by = await fixture.member('few')
  await fixture.control.updateProject(fixture.admin, 'few', { quota: { functions: 2 } })
  await fixture.deploy(by, 'x', { name: 'a' })
  await fixture.deploy(by, 'x', { name: 'b' })
  await fixture.deploy(by, 'y', { name: 'a' })
  await assert.rejects(fixture.deploy(by, 'x', { name: 'c' }), {
    code: 'QUOTA_EXCEEDED',
    message: /2 functions/,
  })
  await fixture.control.deleteFunction(by, 'shop', 'b')
  await fixture.deploy(by, 'x', { name: 'c' })
})

test('deploys at once do not go past a quota', async () => {
  const by = await fixture.member('race')
  await fixture.control.updateProject(fixture.admin, 'race', { quota: { functions: 3 } })
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => fixture.deploy(by, 'x', { name: `f${index}` })),
  )
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 3)
})

test('a quota of memory counts what is always on, and one instance of what is deployed', async () => {
  const by = await fixture.member('small')
  await fixture.control.updateProject(fixture.admin, 'small', { quota: { memoryMiB: 512 } })
  await fixture.deploy(by, 'x', { name: 'a', scaling: { instancesMin: 2 } })
  await fixture.deploy(by, 'x', { name: 'b', limits: { memoryMiB: 256 } })
  await assert.rejects(fixture.deploy(by, 'x', { name: 'c', limits: { memoryMiB: 257 } }), {
    code: 'QUOTA_EXCEEDED',
  })
  await assert.rejects(fixture.deploy(by, 'x', { name: 'a', scaling: { instancesMin: 5 } }), {
    code: 'QUOTA_EXCEEDED',
  })
  await fixture.deploy(by, 'x', { name: 'a', scaling: { instancesMin: 4 } })
})

test('a quota of storage counts each package once', async () => {
  const by = await fixture.member('full-disk')
  await fixture.control.updateProject(fixture.admin, 'full-disk', { quota: { storageBytes: 20 } })
  await fixture.deploy(by, '123456', { name: 'a' })
  await fixture.deploy(by, '123456', { name: 'b' })
  await assert.rejects(fixture.deploy(by, '7890-', { name: 'c' }), {
    code: 'QUOTA_EXCEEDED',
    message: /20 bytes of packages and bundles; 12 are stored, and this needs 10 more/,
  })
  await fixture.deploy(by, '7890', { name: 'c' })
})

test('quotas that make no sense are refused', async () => {
  for (const quota of [{ functions: -1 }, { memoryMiB: 1.5 }, { colour: 1 } as object])
    await assert.rejects(fixture.control.createProject(fixture.admin, { name: 'q', quota }), {
      code: 'INVALID_INPUT',
      message: /quota\./,
    })
})

test('an app with functions goes only by force, with all that is in it', async () => {
  const by = await fixture.member('forced')
  const { function: record } = await fixture.deploy(by, 'x')
  await assert.rejects(fixture.control.deleteApp(by, 'shop', { force: false }), {
    code: 'CONFLICT',
    message: /"cart"/,
  })
  await fixture.control.deleteApp(by, 'shop', { force: true })
  assert.equal(fixture.table.functions.get(record.id), undefined)
  assert.equal(fixture.table.byPath('forced', 'shop', 'cart'), undefined)
  await assert.rejects(fixture.control.getFunction(by, 'shop', 'cart'), { code: 'NOT_FOUND' })
})
