import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ControlFixture } from '../support/control.ts'

const HOUR_MS = 3_600_000

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open({ versionsKept: 1 })
})
after(() => fixture.dispose())

test('what no version needs goes after an hour, and what one needs stays', async () => {
  const by = await fixture.member('waste')
  const first = await fixture.deploy(by, 'one')
  await fixture.deploy(by, 'two')
  await fixture.deploy(by, 'three') // version 2 stays, a rollback may need it; version 1 goes
  const { packageDigest, bundleDigest } = first.version.spec
  assert.deepEqual(await fixture.control.collect(), { removed: 0, freedBytes: 0, skipped: false })
  fixture.clock.advance(2 * HOUR_MS)
  await fixture.control.collect()
  assert.ok(!fixture.builder.packages.has(packageDigest))
  assert.ok(!fixture.builder.bundles.has(bundleDigest))
  await assert.rejects(fixture.control.getPackage(by, packageDigest), { code: 'NOT_FOUND' })
  for (const { spec } of (await fixture.control.listVersions(by, 'shop', 'cart', {})).items) {
    assert.ok(fixture.builder.packages.has(spec.packageDigest))
    assert.ok(fixture.builder.bundles.has(spec.bundleDigest))
  }
})

test('the bundle of a version that has just gone stays for the instances that drain', async () => {
  const by = await fixture.member('drain')
  const { version } = await fixture.deploy(by, 'old')
  fixture.clock.advance(2 * HOUR_MS)
  await fixture.control.deleteFunction(by, 'shop', 'cart')
  await fixture.control.collect()
  assert.ok(fixture.builder.bundles.has(version.spec.bundleDigest))
  fixture.clock.advance(2 * HOUR_MS)
  await fixture.control.collect()
  assert.ok(!fixture.builder.bundles.has(version.spec.bundleDigest))
})

test('what is built counts for its project until nothing needs it; shared dependencies count once', async () => {
  const by = await fixture.member('counted')
  const stored = async () => (await fixture.control.getHeldQuota(by, 'counted')).storageBytes
  fixture.builder.shared = { digest: 'modules', bytes: 1_000 }
  await fixture.deploy(by, 'first')
  assert.equal(await stored(), 2 * 5 + 1_000)
  await fixture.deploy(by, '2nd', { name: 'other' })
  assert.equal(await stored(), 2 * 5 + 2 * 3 + 1_000)
  fixture.builder.shared = undefined
  await fixture.deploy(by, 'none', { name: 'other' })
  for (const name of ['cart', 'other']) await fixture.control.deleteFunction(by, 'shop', name)
  await fixture.deploy(by, 'last', { name: 'other' })
  assert.equal(await stored(), 2 * (5 + 3 + 4 + 4) + 1_000)
  fixture.clock.advance(2 * HOUR_MS)
  await fixture.control.collect()
  assert.equal(await stored(), 2 * 4)
})

test('a package that another project needs stays', async () => {
  const [a, b] = [await fixture.member('keeps'), await fixture.member('leaves')]
  const { version } = await fixture.deploy(a, 'shared')
  await fixture.deploy(b, 'shared')
  await fixture.control.deleteApp(b, 'shop', { force: true })
  fixture.clock.advance(3 * HOUR_MS)
  await fixture.control.collect()
  assert.ok(fixture.builder.packages.has(version.spec.packageDigest))
  await assert.rejects(fixture.control.getPackage(b, version.spec.packageDigest), { code: 'NOT_FOUND' })
})

test('nothing is collected while a deploy is on its way', async () => {
  const by = await fixture.member('busy')
  const building = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  fixture.builder.hold = async () => {
    building.resolve()
    await go.promise
  }
  const deploying = fixture.deploy(by, 'slow')
  await building.promise
  fixture.clock.advance(5 * HOUR_MS)
  assert.equal((await fixture.control.collect()).skipped, true)
  go.resolve()
  fixture.builder.hold = async () => {}
  const { version } = await deploying
  assert.equal((await fixture.control.collect()).skipped, false)
  assert.ok(fixture.builder.bundles.has(version.spec.bundleDigest))
})

test('a trust that cannot be ended keeps neither packages nor other trusts', async t => {
  const ended: string[] = []
  const lending = {
    lend: async () => '',
    isLent: async () => true,
    borrow: async () => ({ token: '', expiresAt: 0 }),
    giveBack: async (trustId: string) => {
      if (trustId === 'stuck') throw new Error('the cloud does not answer')
      ended.push(trustId)
    },
  }
  const other = await ControlFixture.open({ identity: { forgetProject: () => {}, lending } })
  t.after(() => other.dispose())
  const by = await other.member('lender')
  const { version } = await other.deploy(by, 'code')
  await other.control.deleteFunction(by, 'shop', 'cart')
  const row = (trust_id: string) => ({ trust_id, project_id: by.projectId, created_at: other.clock.now() })
  await other.store.db.insertInto('function_trusts').values(['stuck', 'unused'].map(row)).execute()
  other.clock.advance(2 * HOUR_MS)
  await assert.rejects(other.control.collect(), { message: 'the cloud does not answer' })
  assert.ok(!other.builder.packages.has(version.spec.packageDigest))
  assert.deepEqual(ended, ['unused'])
  const left = await other.store.db.selectFrom('function_trusts').select('trust_id').execute()
  assert.deepEqual(
    left.map(each => each.trust_id),
    ['stuck'],
  )
})
