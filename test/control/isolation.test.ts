import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ControlOptions } from '../../src/control/index.ts'
import { AtelierError } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

const MISSING = 'gVisor cannot be used: runsc is not installed'

async function openFor(t: TestContext, works: boolean): Promise<ControlFixture> {
  const isolation: ControlOptions['isolation'] = {
    images: 'process',
    check: async () => {
      if (!works) throw new AtelierError('BACKEND_FAILED', MISSING)
    },
  }
  const fixture = await ControlFixture.open({ isolation })
  t.after(() => fixture.dispose())
  return fixture
}

test('a version is frozen with the isolation that its deploy asked for, and the next deploy keeps it', async t => {
  const fixture = await openFor(t, true)
  const by = await fixture.member('shop')
  assert.equal((await fixture.deploy(by, '1')).version.spec.isolation, undefined)
  assert.equal((await fixture.deploy(by, '1', { isolation: 'gvisor' })).version.spec.isolation, 'gvisor')
  assert.equal((await fixture.deploy(by, '2')).version.spec.isolation, 'gvisor')
  const [entry] = [...fixture.table.functions.values()]
  assert.equal(entry?.versions.get(1)?.isolation, undefined)
  assert.equal(entry?.versions.get(3)?.isolation, 'gvisor')
  const back = await fixture.deploy(by, undefined, { isolation: 'process' })
  assert.equal(back.version.spec.isolation, undefined)
})

test('a deploy that asks for gVisor where there is none is refused with what is missing', async t => {
  const fixture = await openFor(t, false)
  const by = await fixture.member('shop')
  await assert.rejects(fixture.deploy(by, '1', { isolation: 'gvisor' }), (error: AtelierError) => {
    assert.equal(error.code, 'INVALID_INPUT')
    assert.match(error.message, /runsc is not installed/)
    assert.equal(error.errors?.[0]?.pointer, 'isolation')
    return true
  })
  assert.equal(fixture.table.functions.size, 0)
})

test('a project whose least isolation is gVisor gives it to every function, and refuses less', async t => {
  const fixture = await openFor(t, true)
  const by = await fixture.member('shop')
  await fixture.deploy(by, '1')
  const project = await fixture.control.updateProject(fixture.admin, 'shop', { isolationMin: 'gvisor' })
  assert.equal(project.isolationMin, 'gvisor')
  assert.equal(fixture.table.projects.get(by.projectId)?.isolationMin, 'gvisor')
  assert.equal((await fixture.deploy(by, '2')).version.spec.isolation, 'gvisor')
  await assert.rejects(fixture.deploy(by, '3', { isolation: 'process' }), /must be at least "gvisor"/)
  // Another change of the project leaves it as it is; only its own takes it away.
  await fixture.control.updateProject(fixture.admin, 'shop', { quota: { functions: 9 } })
  await fixture.restart()
  await fixture.control.loadTable()
  assert.equal(fixture.table.projects.get(by.projectId)?.isolationMin, 'gvisor')
  await fixture.control.updateProject(fixture.admin, 'shop', { isolationMin: 'process' })
  assert.equal(fixture.table.projects.get(by.projectId)?.isolationMin, undefined)
})

test('a least isolation that this machine cannot give is refused, and so is one from somebody who is no operator', async t => {
  const fixture = await openFor(t, false)
  const by = await fixture.member('shop')
  const change = { isolationMin: 'gvisor' } as const
  await assert.rejects(fixture.control.updateProject(fixture.admin, 'shop', change), /runsc is not installed/)
  await assert.rejects(fixture.control.updateProject(by, 'shop', change), { code: 'FORBIDDEN' })
})
