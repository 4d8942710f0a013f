import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import type { HttpTriggerInput, TriggerChange } from '../../src/control/index.ts'
import { methodsOverlap, placeOf } from '../../src/control/routes.ts'
import type { Principal } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
let ann: Principal
let bob: Principal
before(async () => {
  fixture = await ControlFixture.open()
  ann = await fixture.member('ann')
  bob = await fixture.member('bob')
  await fixture.deploy(ann, 'a')
  await fixture.deploy(bob, 'b')
})
after(() => fixture.dispose())

let names = 0
const create = (by: Principal, input: Partial<HttpTriggerInput>) =>
  fixture.control.createTrigger(by, {
    name: `t${++names}`,
    app: 'shop',
    function: 'cart',
    path: '/',
    ...input,
  })

test('a trigger is published with all that is not given filled in', async () => {
  const view = await create(ann, { name: 'full', path: '/full/{id}', methods: ['get', 'POST'] })
  assert.ok(view.kind === 'http')
  assert.equal(view.url, 'http://127.0.0.1:1882/full/{id}')
  const { app, function: name, url: _url, kind: _kind, ...trigger } = view
  assert.deepEqual([app, name], ['shop', 'cart'])
  assert.deepEqual(fixture.table.triggers.get(view.id), trigger)
  assert.deepEqual([trigger.methods, trigger.alias, trigger.stripPrefix], [['GET', 'POST'], 'live', false])
  await fixture.control.deleteTrigger(ann, 'full')
  assert.equal(fixture.table.triggers.get(view.id), undefined)
})

test("a neighbour's first segment is taken, without telling whose it is", async () => {
  await create(ann, { path: '/login/*' })
  for (const path of ['/login', '/login/form', '/login/{x}', '/login/deep/er/*'])
    await assert.rejects(create(bob, { path }), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'CONFLICT')
      assert.doesNotMatch(error.message, /ann/)
      return true
    })
  await create(ann, { path: '/login/form' })
  await create(bob, { path: '/logins' })
})

test("the name of somebody's project is taken, now and when the project comes later", async () => {
  const hijack = create(bob, { path: '/ann/shop/cart' })
  await assert.rejects(hijack, { code: 'CONFLICT', message: /taken/ })
  await create(ann, { path: '/ann/shop/cart' })
  await create(bob, { path: '/carla/shop' })
  await assert.rejects(fixture.control.createProject(fixture.admin, { name: 'carla' }), { code: 'CONFLICT' })
})

test('a host belongs to the project that first routes it, until its last route is gone', async () => {
  await create(ann, { name: 'host', host: 'Shop.Example.org', path: '/*' })
  await assert.rejects(create(bob, { host: 'shop.example.org', path: '/mine' }), { code: 'CONFLICT' })
  await fixture.control.deleteTrigger(ann, 'host')
  await create(bob, { host: 'shop.example.org', path: '/mine' })
})

test('the host where everybody answers belongs to nobody', async () => {
  for (const host of [
    '127.0.0.1',
    'localhost',
    hostname().toUpperCase(),
    '[::1]',
    '::1',
    'a b',
    'shop.example.org:80',
    '-x.org',
    '*',
    'x..y',
  ])
    await assert.rejects(create(ann, { host, path: '/x' }), { code: 'INVALID_INPUT', message: /host/ }, host)
})

test('two triggers that would take the same request are refused, and named in the own project', async () => {
  await create(ann, { name: 'items', path: '/items/{id}', methods: ['GET', 'PUT'] })
  await assert.rejects(create(ann, { path: '/items/{name}', methods: ['PUT'] }), {
    code: 'CONFLICT',
    message: /"items"/,
  })
  await assert.rejects(create(ann, { path: '/items/{name}' }), { code: 'CONFLICT' })
  await create(ann, { path: '/items/{name}', methods: ['POST'] })
  await create(ann, { path: '/items/{name}', methods: ['PUT'], host: 'items.example.org' })
  await create(ann, { path: '/items/special', methods: ['GET'] })
})

test('an update goes through the same checks, and may leave a trigger in its own place', async () => {
  await create(ann, { name: 'moving', path: '/moving' })
  const second = await fixture.control.updateTrigger(ann, 'moving', { stripPrefix: true, name: 'moved' })
  assert.equal(second.revision, 2)
  await assert.rejects(fixture.control.getTrigger(ann, 'moving'), { code: 'NOT_FOUND' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'moved', { path: '/bob/x' }), { code: 'CONFLICT' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'moved', { name: 'items' }), { code: 'CONFLICT' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'moved', { alias: 'nothing' }), {
    code: 'NOT_FOUND',
  })
  const moved = await fixture.control.getTrigger(ann, 'moved')
  assert.ok(moved.kind === 'http')
  assert.equal(moved.path, '/moving')
})

test('null takes away what a trigger need not say, and what is left out stays', async () => {
  const said = {
    host: 'said.example.org',
    methods: ['GET'],
    access: 'public',
    cors: { origins: ['*'] },
  } as const
  await create(ann, { name: 'said', path: '/said', stripPrefix: false, ...said })
  const routeOf = async (change: TriggerChange) => {
    const trigger = await fixture.control.updateTrigger(ann, 'said', change)
    assert.ok(trigger.kind === 'http')
    const { host, methods, access, cors } = trigger
    return { host, methods, access, origins: cors?.origins }
  }
  const all = { host: said.host, methods: ['GET'], access: 'public', origins: ['*'] }
  assert.deepEqual(await routeOf({}), all)
  assert.deepEqual(await routeOf({ access: null }), { ...all, access: undefined })
  assert.deepEqual(await routeOf({ cors: null }), { ...all, access: undefined, origins: undefined })
  const none = { host: undefined, methods: [], access: undefined, origins: undefined }
  assert.deepEqual(await routeOf({ host: null, methods: null }), none)
  const published = [...fixture.table.triggers.values()].find(each => each.name === 'said')
  assert.ok(published && !('access' in published) && !('cors' in published) && !('host' in published))
})

test('what is wrong with a trigger is named', async () => {
  const wrong: [Partial<HttpTriggerInput>, RegExp][] = [
    [{ path: 'x' }, /path/],
    [{ path: '/a/../b' }, /path/],
    [{ path: '/-/hooks/mine' }, /platform/],
    [{ path: '/%2D/hooks/mine', host: 'mine.example.org' }, /platform/],
    [{ path: '/*/a' }, /path/],
    [{ path: `/${'x'.repeat(600)}` }, /path/],
    [{ methods: ['FETCH'] }, /methods/],
    [{ methods: ['GET', 'get'] }, /twice/],
    [{ access: 'friends' as 'public' }, /access/],
    [{ cors: { origins: ['example.org'] } }, /origins/],
    [{ cors: { origins: ['*'], credentials: true } }, /credentials/],
    [{ cors: { headers: ['a b'] } }, /headers/],
    [{ cors: { maxAgeS: -1 } }, /maxAgeS/],
  ]
  for (const [input, message] of wrong)
    await assert.rejects(create(ann, { path: '/wrong', ...input }), { code: 'INVALID_INPUT', message })
  await assert.rejects(create(ann, { path: '/x', function: 'none' }), { code: 'NOT_FOUND' })
  await assert.rejects(create(ann, { path: '/x', alias: '99' }), { code: 'NOT_FOUND' })
})

test('triggers go with their function', async () => {
  const by = await fixture.member('leaving')
  await fixture.deploy(by, 'x')
  const { id } = await create(by, { path: '/leaving/x' })
  await fixture.control.deleteFunction(by, 'shop', 'cart')
  assert.equal(fixture.table.triggers.get(id), undefined)
  assert.deepEqual(await fixture.control.listTriggers(by, {}, {}), { items: [] })
})

test('triggers of all its functions go with an app, and no others', async () => {
  const by = await fixture.member('closing')
  await fixture.deploy(by, 'x')
  await fixture.deploy(by, 'y', { name: 'second' })
  await fixture.deploy(by, 'z', { app: 'other' })
  const going = [
    await create(by, { path: '/closing/x' }),
    await create(by, { path: '/closing/y', function: 'second' }),
  ]
  const stays = await create(by, { path: '/closing/z', app: 'other' })
  await fixture.control.deleteApp(by, 'shop', { force: true })
  for (const { id, functionId } of going) {
    assert.equal(fixture.table.triggers.get(id), undefined)
    assert.equal(fixture.table.functions.get(functionId), undefined)
  }
  assert.ok(fixture.table.triggers.has(stays.id))
  assert.ok(fixture.table.functions.has(stays.functionId))
})

test('of many who want one segment at the same moment one gets it', async () => {
  const results = await Promise.allSettled([ann, bob, ann, bob].map(by => create(by, { path: '/race' })))
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
})

test('paths lie in the same space exactly when their first segment is the same literal', () => {
  const segment = fc.constantFrom('a', 'b', '{x}', '{y}', 'c-d')
  const path = fc
    .array(segment, { minLength: 1, maxLength: 3 })
    .map(parts => `/${parts.map((part, index) => (part.startsWith('{') ? `{p${index}}` : part)).join('/')}`)
  const first = (text: string): string =>
    text.split('/')[1]?.startsWith('{') ? '*' : (text.split('/')[1] ?? '')
  fc.assert(
    fc.property(path, path, (one, two) => {
      assert.equal(placeOf('', one).space === placeOf('', two).space, first(one) === first(two))
      assert.equal(placeOf('h', one).space, placeOf('h', two).space)
    }),
  )
})

test('methods overlap the same way round, and none means every one', () => {
  const methods = fc.subarray(['GET', 'POST', 'PUT'])
  fc.assert(
    fc.property(methods, methods, (a, b) => {
      assert.equal(methodsOverlap(a, b), methodsOverlap(b, a))
      assert.ok(methodsOverlap([], b))
    }),
  )
})
