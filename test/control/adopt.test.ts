import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { namesFor } from '../../src/control/adopt.ts'
import { isName } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

const DEFAULT = { id: 'default', name: 'Default' }
const CUSTOMERS = { id: 'c0ffee', name: 'Customers' }
const idOf = (digit: string): string => digit.repeat(32)

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

test('a project of elsewhere keeps its id and, where it is free, its name', async () => {
  const { control, table } = fixture
  const project = { id: idOf('a'), name: 'weather', domain: DEFAULT }
  assert.equal(control.findProject({ id: project.id }), undefined)
  const adopted = await control.adoptProject(project)
  assert.deepEqual([adopted.id, adopted.name, adopted.enabled], [project.id, 'weather', true])
  assert.deepEqual(
    await control.adoptProject({ ...project, name: 'renamed' }),
    table.projects.get(project.id),
  )
  assert.equal(control.findProject({ name: 'weather' })?.id, project.id)
  assert.equal(control.findProject({ name: 'renamed' }), undefined)
})

test('names that are taken, or that no URL may have, are made into others', async () => {
  const { control } = fixture
  const named = async (name: string, id: string, domain = DEFAULT) =>
    (await control.adoptProject({ id: idOf(id), name, domain })).name
  assert.equal(await named('default', '1'), 'default-11111111')
  assert.equal(await named('Wetter & Co.', '2'), 'Wetter-Co.')
  assert.equal(await named('prod', '3', CUSTOMERS), 'prod.Customers')
  assert.equal(await named('../../etc', '4'), 'etc')
  assert.equal(await named('天気', '5'), '55555555')
  assert.equal(await named('x'.repeat(64), '6'), 'x'.repeat(63))
  assert.equal(await named('x'.repeat(64), '7'), `${'x'.repeat(54)}-77777777`)
})

test('whatever a project is called, it gets a name that can be one', () => {
  for (const name of ['', ' ', '-', '.', '..', '/', 'a/b', '\u0000', 'ä', '~x', 'a'.repeat(255)])
    for (const domain of [DEFAULT, CUSTOMERS, { id: 'x', name: '///' }]) {
      const names = namesFor({ id: idOf('f'), name, domain })
      assert.ok(names.length > 0 && names.every(isName), JSON.stringify([name, domain, names]))
    }
})

test('at once or one after the other, a project is adopted once', async () => {
  const { control, store } = fixture
  const project = { id: idOf('b'), name: 'together', domain: DEFAULT }
  const all = await Promise.all(Array.from({ length: 10 }, () => control.adoptProject(project)))
  assert.deepEqual(new Set(all.map(each => each.name)), new Set(['together']))
  const rows = await store.db.selectFrom('projects').select('id').where('id', '=', project.id).execute()
  assert.equal(rows.length, 1)
})

test('a project whose name is the path of a route gets another', async () => {
  const { control, admin } = fixture
  await fixture.deploy(admin, 'code', { name: 'cart' })
  await control.createTrigger(admin, {
    name: 'taken',
    kind: 'http',
    app: 'shop',
    function: 'cart',
    path: '/billing/x',
  })
  const adopted = await control.adoptProject({ id: idOf('c'), name: 'billing', domain: DEFAULT })
  assert.equal(adopted.name, 'billing-cccccccc')
})

test('an operator deletes an adopted project, though nobody here operates anything', async () => {
  const { control, admin, table } = fixture
  const { id, name } = await control.adoptProject({ id: idOf('d'), name: 'gone', domain: DEFAULT })
  await control.deleteProject(admin, name)
  assert.equal(table.projects.get(id), undefined)
})
