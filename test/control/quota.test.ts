import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Principal, QUOTA_DEFAULT, type Quota } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

const exceeded = { code: 'QUOTA_EXCEEDED' }
const setQuota = (project: string, quota: Quota) =>
  fixture.control.updateProject(fixture.admin, project, { quota })
const schedule = (by: Principal, name: string) =>
  fixture.control.createTrigger(by, {
    name,
    app: 'shop',
    function: 'cart',
    path: `/${by.projectName}/${name}`,
  })

test('storage has an end where nobody has set one', () => {
  assert.ok(QUOTA_DEFAULT.storageBytes > 0 && Number.isFinite(QUOTA_DEFAULT.storageBytes))
})

test('a quota of versions counts those of all functions, after old ones went', async () => {
  const by = await fixture.member('versions')
  await setQuota('versions', { versions: 4 })
  for (const code of ['1', '2', '3', '4', '5']) await fixture.deploy(by, code, { name: 'a' }) // three are kept
  await fixture.deploy(by, '1', { name: 'b' })
  await assert.rejects(fixture.deploy(by, '2', { name: 'b' }), {
    ...exceeded,
    message: /4 versions; 4 exist/,
  })
  await assert.rejects(fixture.deploy(by, '1', { name: 'c' }), exceeded)
  await fixture.deploy(by, '6', { name: 'a' })
  assert.equal((await fixture.control.getHeldQuota(by, 'versions')).versions, 4)
  await assert.rejects(fixture.control.getFunction(by, 'shop', 'c'), { code: 'NOT_FOUND' })
})

test('a quota of triggers counts all kinds, also when several are made at once', async () => {
  const by = await fixture.member('triggers')
  await fixture.deploy(by, '1')
  await setQuota('triggers', { triggers: 3 })
  const results = await Promise.allSettled(['a', 'b', 'c', 'd', 'e', 'f'].map(name => schedule(by, name)))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 3)
  for (const result of results)
    if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'QUOTA_EXCEEDED')
  const other = await fixture.member('other-triggers')
  await fixture.deploy(other, '1')
  await schedule(other, 'a')
})

test('deploys at once do not go past a quota of storage, and another project has its own', async () => {
  const by = await fixture.member('disk')
  const other = await fixture.member('other-disk')
  await setQuota('disk', { storageBytes: 50 })
  const deploy = (owner: Principal, index: number) =>
    fixture.deploy(owner, `${index}`.padStart(10, '-'), { name: `f${index}` })
  const results = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => deploy(by, index)))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 2)
  assert.equal((await fixture.control.getHeldQuota(by, 'disk')).storageBytes, 40)
  await Promise.all(Array.from({ length: 6 }, (_, index) => deploy(other, index)))
})

test('a quota below what is used takes nothing away and refuses what comes next', async () => {
  const by = await fixture.member('lowered')
  await fixture.deploy(by, 'first', { name: 'cart' })
  await fixture.deploy(by, 'second', { name: 'b' })
  await schedule(by, 'route')
  await setQuota('lowered', { functions: 1, storageBytes: 3, triggers: 0, versions: 1 })
  const held = await fixture.control.getHeldQuota(by, 'lowered')
  assert.deepEqual(held, { functions: 2, versions: 2, memoryMiB: 0, storageBytes: 22, triggers: 1 })
  assert.ok(fixture.table.byPath('lowered', 'shop', 'b'))
  await assert.rejects(fixture.deploy(by, 'third', { name: 'b' }), {
    ...exceeded,
    message: /3 bytes of packages and bundles; 22 are stored: delete/,
  })
  await assert.rejects(schedule(by, 'second'), exceeded)
  await assert.rejects(fixture.deploy(by, undefined, { name: 'b', config: { A: '1' } }), exceeded)
  await setQuota('lowered', {})
  await fixture.deploy(by, 'third', { name: 'b' })
})

test('a package that comes to nothing does not stay, and few of one project are received at once', async () => {
  const by = await fixture.member('wasteful')
  const { builder } = fixture
  await fixture.deploy(by, 'a version')
  const before = builder.packages.size
  await assert.rejects(fixture.deploy(by, 'for nothing', { environment: 'none' }), { code: 'INVALID_INPUT' })
  await setQuota('wasteful', { storageBytes: 20 })
  await assert.rejects(fixture.deploy(by, 'too much for this quota'), exceeded)
  assert.equal(builder.packages.size, before)
  await assert.rejects(fixture.deploy(by, 'a version', { environment: 'none' }), { code: 'INVALID_INPUT' })
  assert.equal(builder.packages.size, before, 'what a version needs stays')
  await setQuota('wasteful', {})
  await assert.rejects(fixture.deploy(by, 'syntax error'), { code: 'BUILD_FAILED' })
  assert.equal(builder.packages.size, before + 1, 'what failed to build is kept for its log, and counted')

  let now = 0
  let most = 0
  const receive = builder.receive.bind(builder)
  builder.receive = async (...given) => {
    most = Math.max(most, ++now)
    await new Promise(resolve => setImmediate(resolve))
    return receive(...given).finally(() => now--)
  }
  await Promise.all(Array.from({ length: 9 }, (_, i) => fixture.deploy(by, `${i}`, { name: `f${i}` })))
  builder.receive = receive
  assert.equal(most, 4)
})

test('what is refused for want of room is refused before it is built', async () => {
  const by = await fixture.member('early')
  await fixture.deploy(by, 'first')
  await setQuota('early', { storageBytes: 1 })
  const before = fixture.builder.packages.size
  await assert.rejects(fixture.deploy(by, 'a new one'), exceeded)
  assert.equal(fixture.builder.packages.size, before)
})

test('limits of calls are published to the data plane, and taken back', async () => {
  const by = await fixture.member('published')
  await setQuota('published', { callsPerMinute: 60, queuedCalls: 7, queuedBytes: 1000 })
  const project = () => fixture.table.projects.get(by.projectId)
  assert.deepEqual(
    [project()?.callsPerMinuteMax, project()?.queuedCallsMax, project()?.queuedBytesMax],
    [60, 7, 1000],
  )
  await setQuota('published', {})
  assert.ok(project() && !('callsPerMinuteMax' in project()!))
})
