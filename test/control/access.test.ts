import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Control } from '../../src/control/index.ts'
import type { Principal } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
let owner: Principal
let digest: string
before(async () => {
  fixture = await ControlFixture.open()
  owner = await fixture.member('owner')
  digest = (await fixture.deploy(owner, 'owned')).version.spec.packageDigest
  await fixture.deploy(owner, 'owned 2')
  await fixture.control.putAlias(owner, 'shop', 'cart', 'stable', [{ version: 1, weight: 100 }])
  await fixture.control.createTrigger(owner, {
    name: 'front',
    app: 'shop',
    function: 'cart',
    path: '/front/*',
  })
  await fixture.control.putSecret(owner, 'KEY', 'hidden')
})
after(() => fixture.dispose())

const targets = [{ version: 1, weight: 100 }]

/** Every operation of the control plane on the owner's things, except the lists and those that make something new. */
const onExisting = {
  getApp: (control, by) => control.getApp(by, 'shop'),
  updateApp: (control, by) => control.updateApp(by, 'shop', { description: 'mine' }),
  deleteApp: (control, by) => control.deleteApp(by, 'shop', { force: true }),
  getFunction: (control, by) => control.getFunction(by, 'shop', 'cart'),
  updateFunction: (control, by) => control.updateFunction(by, 'shop', 'cart', { access: 'public' }),
  deleteFunction: (control, by) => control.deleteFunction(by, 'shop', 'cart'),
  rollback: (control, by) => control.rollback(by, 'shop', 'cart'),
  getVersion: (control, by) => control.getVersion(by, 'shop', 'cart', 1),
  listVersions: (control, by) => control.listVersions(by, 'shop', 'cart', {}),
  deleteVersion: (control, by) => control.deleteVersion(by, 'shop', 'cart', 1),
  getAlias: (control, by) => control.getAlias(by, 'shop', 'cart', 'stable'),
  listAliases: (control, by) => control.listAliases(by, 'shop', 'cart'),
  putAlias: (control, by) => control.putAlias(by, 'shop', 'cart', 'stable', targets),
  deleteAlias: (control, by) => control.deleteAlias(by, 'shop', 'cart', 'stable'),
  getPackage: (control, by) => control.getPackage(by, digest),
  readPackage: (control, by) => control.readPackage(by, digest),
  readBuildLog: (control, by) => control.readBuildLog(by, digest),
  getTrigger: (control, by) => control.getTrigger(by, 'front'),
  updateTrigger: (control, by) => control.updateTrigger(by, 'front', { path: '/front/other' }),
  deleteTrigger: (control, by) => control.deleteTrigger(by, 'front'),
  rotateTrigger: (control, by) => control.rotateTrigger(by, 'front', 0),
  deleteSecret: (control, by) => control.deleteSecret(by, 'KEY'),
  getProject: (control, by) => control.getProject(by, 'owner'),
  getHeldQuota: (control, by) => control.getHeldQuota(by, 'owner'),
} satisfies Partial<Record<keyof Control, Call>>

const lists = {
  listApps: (control, by) => control.listApps(by, {}),
  listFunctions: (control, by) => control.listFunctions(by, {}, {}),
  listPackages: (control, by) => control.listPackages(by, {}),
  listTriggers: (control, by) => control.listTriggers(by, {}, {}),
  listSecrets: (control, by) => control.listSecrets(by, {}),
} satisfies Partial<Record<keyof Control, Call>>

const creating = {
  createApp: (control, by) => control.createApp(by, { name: 'shop' }),
  createTrigger: (control, by) =>
    control.createTrigger(by, { name: 'mine', app: 'shop', function: 'cart', path: '/mine' }),
  putSecret: (control, by) => control.putSecret(by, 'KEY', 'x'),
  deploy: (control, by) =>
    control.deploy(by, { app: 'shop', name: 'cart' }, () => {}, new AbortController().signal),
} satisfies Partial<Record<keyof Control, Call>>

const operating = {
  createProject: (control, by) => control.createProject(by, { name: 'new' }),
  updateProject: (control, by) => control.updateProject(by, 'owner', { enabled: false }),
  deleteProject: (control, by) => control.deleteProject(by, 'owner'),
} satisfies Partial<Record<keyof Control, Call>>

const special = ['listProjects', 'findProject', 'adoptProject', 'loadTable', 'refresh', 'collect', 'secrets']

type Call = (control: Control, by: Principal) => Promise<unknown>

test('every operation is in one of the lists of this file', () => {
  const listed = [onExisting, lists, creating, operating].flatMap(group => Object.keys(group))
  assert.deepEqual([...listed, ...special].sort(), Object.keys(fixture.control).sort())
})

test("another project's things do not exist, whatever one does to them", async () => {
  const stranger = await fixture.member('stranger')
  for (const [name, call] of Object.entries<Call>(onExisting))
    await assert.rejects(call(fixture.control, stranger), { code: 'NOT_FOUND' }, name)
  for (const [name, call] of Object.entries<Call>(lists))
    assert.deepEqual(await call(fixture.control, stranger), { items: [] }, name)
  await assert.rejects(creating.createTrigger(fixture.control, stranger), { code: 'NOT_FOUND' })
  await assert.rejects(creating.deploy(fixture.control, stranger), { code: 'INVALID_INPUT' })
  const { items } = await fixture.control.listProjects(stranger, {})
  assert.deepEqual(
    items.map(project => project.name),
    ['stranger'],
  )
})

test('what a stranger makes under the same names is its own', async () => {
  const other = await fixture.member('other')
  await fixture.control.createApp(other, { name: 'shop' })
  await fixture.deploy(other, 'others')
  await fixture.control.putSecret(other, 'KEY', 'others')
  await fixture.control.deleteApp(other, 'shop', { force: true })
  await fixture.control.deleteSecret(other, 'KEY')
  assert.equal((await fixture.control.getFunction(owner, 'shop', 'cart')).latestVersion, 2)
  assert.equal((await fixture.control.secrets.read(owner.projectId, ['KEY']))['KEY'], 'hidden')
})

test('an equal package in another project is seen there only once it was deployed there', async () => {
  const copier = await fixture.member('copier')
  await assert.rejects(fixture.control.getPackage(copier, digest), { code: 'NOT_FOUND' })
  await fixture.deploy(copier, 'owned')
  assert.equal((await fixture.control.getPackage(copier, digest)).digest, digest)
})

test('a reader reads everything and changes nothing', async () => {
  const reader = await fixture.member('owner', 'reader')
  for (const [name, call] of Object.entries<Call>({ ...onExisting, ...lists })) {
    if (/^(get|list|read)/.test(name)) await call(fixture.control, reader)
    else await assert.rejects(call(fixture.control, reader), { code: 'FORBIDDEN' }, name)
  }
  for (const [name, call] of Object.entries<Call>(creating))
    await assert.rejects(call(fixture.control, reader), { code: 'FORBIDDEN' }, name)
})

test('who has no role may not even read', async () => {
  const nobody: Principal = { ...owner, roles: [] }
  for (const [name, call] of Object.entries<Call>({ ...onExisting, ...lists, ...creating, ...operating }))
    await assert.rejects(call(fixture.control, nobody), { code: 'FORBIDDEN' }, name)
})

test('only operators make, change and delete projects', async () => {
  for (const [name, call] of Object.entries<Call>(operating))
    await assert.rejects(call(fixture.control, owner), { code: 'FORBIDDEN' }, name)
  const { items } = await fixture.control.listProjects(fixture.admin, {})
  assert.ok(items.length > 2)
})

test('every write of a thing that was read before is refused when it changed meanwhile', async () => {
  const { control } = fixture
  const stale = 999
  const writes: Call[] = [
    (_, by) => control.updateApp(by, 'shop', {}, stale),
    (_, by) => control.deleteApp(by, 'shop', { force: true, expected: stale }),
    (_, by) => control.updateFunction(by, 'shop', 'cart', {}, stale),
    (_, by) => control.deleteFunction(by, 'shop', 'cart', stale),
    (_, by) => control.putAlias(by, 'shop', 'cart', 'stable', targets, stale),
    (_, by) => control.deleteAlias(by, 'shop', 'cart', 'stable', stale),
    (_, by) => control.updateTrigger(by, 'front', {}, stale),
    (_, by) => control.deleteTrigger(by, 'front', stale),
  ]
  for (const write of writes)
    await assert.rejects(write(control, owner), { code: 'PRECONDITION_FAILED', message: /read it again/ })
  await assert.rejects(control.updateProject(fixture.admin, 'owner', {}, stale), {
    code: 'PRECONDITION_FAILED',
  })
  await assert.rejects(control.deleteProject(fixture.admin, 'owner', stale), { code: 'PRECONDITION_FAILED' })
})

test('lists come in pages that miss nothing and repeat nothing', async () => {
  const by = await fixture.member('pages')
  for (const app of ['b', 'a', 'c'])
    for (const name of ['y', 'x', 'z']) await fixture.deploy(by, `${app}${name}`, { app, name })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await fixture.control.listFunctions(by, {}, { limit: 2, ...(cursor ? { cursor } : {}) })
    assert.ok(page.items.length <= 2)
    seen.push(...page.items.map(item => `${item.appName}/${item.name}`))
    cursor = page.next
  } while (cursor)
  assert.deepEqual(seen, ['a/x', 'a/y', 'a/z', 'b/x', 'b/y', 'b/z', 'c/x', 'c/y', 'c/z'])

  const digests = new Set<string>()
  do {
    const page = await fixture.control.listPackages(by, { limit: 4, ...(cursor ? { cursor } : {}) })
    for (const item of page.items) digests.add(item.digest)
    cursor = page.next
  } while (cursor)
  assert.equal(digests.size, 9)
})

test('a cursor that was changed, or is from another list or project, is refused', async () => {
  const by = await fixture.member('pages')
  const other = await fixture.member('pages-2')
  const { next } = await fixture.control.listFunctions(by, {}, { limit: 1 })
  assert.ok(next)
  const [payload = '', tag = ''] = next.split('.')
  const forged = Buffer.from(JSON.stringify(['zz', 'zz'])).toString('base64url')
  const wrong = ['', 'x', '.', payload, `${payload}.`, `${forged}.${tag}`, `${next}A`.replace(/^./, 'Z')]
  for (const cursor of wrong)
    await assert.rejects(fixture.control.listFunctions(by, {}, { cursor }), {
      code: 'INVALID_INPUT',
      message: /cursor/,
    })
  await assert.rejects(fixture.control.listApps(by, { cursor: next }), { code: 'INVALID_INPUT' })
  await assert.rejects(fixture.control.listFunctions(other, {}, { cursor: next }), { code: 'INVALID_INPUT' })
  for (const limit of [0, -1, 1.5, 1001, Number.NaN])
    await assert.rejects(fixture.control.listApps(by, { limit }), { code: 'INVALID_INPUT', message: /limit/ })
})
