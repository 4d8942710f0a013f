import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LIVE_ALIAS, type Principal } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

let projects = 0
async function deployed(count: number): Promise<Principal> {
  const by = await fixture.member(`aliases-${++projects}`)
  for (let n = 1; n <= count; n++) await fixture.deploy(by, `code ${n}`)
  return by
}

const table = (by: Principal) => fixture.table.byPath(by.projectName, 'shop', 'cart')
const liveNow = (by: Principal) => table(by)?.aliases.get(LIVE_ALIAS)
const only = (version: number) => [{ version, weight: 100 }]
const rollback = async (by: Principal, version?: number): Promise<number> =>
  (await fixture.control.rollback(by, 'shop', 'cart', version)).version.number

test('a rollback goes to what was live before, and the table has it when it resolves', async () => {
  const by = await deployed(3)
  assert.equal(await rollback(by), 2)
  assert.deepEqual(liveNow(by), only(2))
  assert.equal(await rollback(by), 1)
  assert.deepEqual(liveNow(by), only(1))
  await assert.rejects(fixture.control.rollback(by, 'shop', 'cart'), {
    code: 'CONFLICT',
    message: /version 1/,
  })
})

test('a rollback to a version can itself be rolled back', async () => {
  const by = await deployed(3)
  assert.equal(await rollback(by, 1), 1)
  assert.equal(await rollback(by), 3)
  assert.equal(await rollback(by), 2)
})

test('after a rollback and a deploy, a rollback goes to what was rolled back to', async () => {
  const by = await deployed(2)
  await rollback(by)
  await fixture.deploy(by, 'code 3')
  assert.deepEqual(liveNow(by), only(3))
  assert.equal(await rollback(by), 1)
})

test('a rollback to what never was is NOT_FOUND', async () => {
  const by = await deployed(1)
  for (const version of [0, 2, -1, 1.5])
    await assert.rejects(fixture.control.rollback(by, 'shop', 'cart', version), { code: 'NOT_FOUND' })
  await assert.rejects(fixture.control.rollback(by, 'shop', 'nothing'), { code: 'NOT_FOUND' })
})

test('old versions go, but not what an alias or a rollback needs', async () => {
  const by = await deployed(1)
  await fixture.control.putAlias(by, 'shop', 'cart', 'stable', only(1))
  for (let n = 2; n <= 8; n++) await fixture.deploy(by, `code ${n}`)
  const numbers = (await fixture.control.listVersions(by, 'shop', 'cart', {})).items.map(each => each.number)
  assert.deepEqual(numbers, [8, 7, 6, 1]) // three are kept, and the alias' own
  assert.deepEqual([...(table(by)?.versions.keys() ?? [])], [1, 6, 7, 8])
  await rollback(by, 6)
  for (let n = 9; n <= 12; n++) await fixture.deploy(by, `code ${n}`, { publishOnly: true })
  const kept = (await fixture.control.listVersions(by, 'shop', 'cart', {})).items.map(each => each.number)
  assert.deepEqual(kept, [12, 11, 10, 8, 6, 1]) // 6 is live and 8 was before
  assert.equal(await rollback(by), 8)
})

test('a number is never given to another version again', async () => {
  const by = await deployed(2)
  await rollback(by, 1)
  await fixture.control.deleteVersion(by, 'shop', 'cart', 2)
  assert.equal((await fixture.deploy(by, 'code 3')).version.number, 3)
})

test('a version that something points to cannot be deleted', async () => {
  const by = await deployed(3)
  await fixture.control.putAlias(by, 'shop', 'cart', 'canary', only(2))
  await fixture.control.createTrigger(by, {
    name: 't',
    app: 'shop',
    function: 'cart',
    alias: '1',
    path: `/${by.projectName}/x`,
  })
  await assert.rejects(fixture.control.deleteVersion(by, 'shop', 'cart', 3), {
    code: 'CONFLICT',
    message: /live/,
  })
  await assert.rejects(fixture.control.deleteVersion(by, 'shop', 'cart', 2), {
    code: 'CONFLICT',
    message: /canary/,
  })
  await assert.rejects(fixture.control.deleteVersion(by, 'shop', 'cart', 1), {
    code: 'CONFLICT',
    message: /trigger/,
  })
  await assert.rejects(fixture.control.deleteVersion(by, 'shop', 'cart', 4), { code: 'NOT_FOUND' })
})

test('an alias splits calls, and weights that make no sense are refused by field', async () => {
  const by = await deployed(2)
  const split = [
    { version: 1, weight: 90 },
    { version: 2, weight: 10 },
  ]
  const alias = await fixture.control.putAlias(by, 'shop', 'cart', 'canary', split)
  assert.deepEqual(alias.targets, split)
  assert.deepEqual(table(by)?.aliases.get('canary'), split)
  const wrong: [typeof split, RegExp][] = [
    [[], /targets/],
    [[{ version: 1, weight: 99 }], /sum to 99/],
    [
      [
        { version: 1, weight: 50 },
        { version: 1, weight: 50 },
      ],
      /again/,
    ],
    [
      [
        { version: 1, weight: 100 },
        { version: 2, weight: 0 },
      ],
      /targets\[1\]\.weight/,
    ],
    [
      [
        { version: 1, weight: 99.5 },
        { version: 2, weight: 0.5 },
      ],
      /weight/,
    ],
    [[{ version: 1.5, weight: 100 }], /targets\[0\]\.version/],
    [[{ version: 1, weight: Number.NaN }], /weight/],
  ]
  for (const [targets, message] of wrong)
    await assert.rejects(fixture.control.putAlias(by, 'shop', 'cart', 'canary', targets), {
      code: 'INVALID_INPUT',
      message,
    })
  await assert.rejects(fixture.control.putAlias(by, 'shop', 'cart', 'canary', only(3)), {
    code: 'NOT_FOUND',
    message: /version "3"/,
  })
  await assert.rejects(fixture.control.putAlias(by, 'shop', 'cart', '7', only(1)), {
    code: 'INVALID_INPUT',
    message: /number/,
  })
  assert.deepEqual((await fixture.control.getAlias(by, 'shop', 'cart', 'canary')).targets, split)
})

test('the live alias stays, and so does one that a trigger uses', async () => {
  const by = await deployed(1)
  await fixture.control.putAlias(by, 'shop', 'cart', 'used', only(1))
  await fixture.control.createTrigger(by, {
    name: 't',
    app: 'shop',
    function: 'cart',
    alias: 'used',
    path: `/${by.projectName}/x`,
  })
  await assert.rejects(fixture.control.deleteAlias(by, 'shop', 'cart', LIVE_ALIAS), { code: 'CONFLICT' })
  await assert.rejects(fixture.control.deleteAlias(by, 'shop', 'cart', 'used'), {
    code: 'CONFLICT',
    message: /"t"/,
  })
  await fixture.control.deleteTrigger(by, 't')
  await fixture.control.deleteAlias(by, 'shop', 'cart', 'used')
  assert.deepEqual([...(table(by)?.aliases.keys() ?? [])], [LIVE_ALIAS])
})

test('a write with an older revision is refused, one with the right revision is not', async () => {
  const by = await deployed(2)
  const first = await fixture.control.putAlias(by, 'shop', 'cart', 'a', only(1), 0)
  await assert.rejects(fixture.control.putAlias(by, 'shop', 'cart', 'a', only(2), 0), {
    code: 'PRECONDITION_FAILED',
  })
  const second = await fixture.control.putAlias(by, 'shop', 'cart', 'a', only(2), first.revision)
  await assert.rejects(fixture.control.deleteAlias(by, 'shop', 'cart', 'a', first.revision), {
    code: 'PRECONDITION_FAILED',
  })
  await fixture.control.deleteAlias(by, 'shop', 'cart', 'a', second.revision)
})

test('of many writers with the same revision one wins', async () => {
  const by = await deployed(1)
  const { revision } = await fixture.control.getFunction(by, 'shop', 'cart')
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) =>
      fixture.control.updateFunction(by, 'shop', 'cart', { description: `${index}` }, revision),
    ),
  )
  assert.equal(results.filter(result => result.status === 'fulfilled').length, 1)
  for (const result of results)
    if (result.status === 'rejected') assert.equal(result.reason.code, 'PRECONDITION_FAILED')
})

test('a start finds everything as it was', async () => {
  const by = await deployed(3)
  await rollback(by)
  await fixture.control.putAlias(by, 'shop', 'cart', 'canary', [
    { version: 1, weight: 50 },
    { version: 3, weight: 50 },
  ])
  await fixture.control.createTrigger(by, {
    name: 't',
    app: 'shop',
    function: 'cart',
    path: `/${by.projectName}/x`,
  })
  const { triggers, projects: published } = fixture.table
  const entry = table(by)
  await fixture.restart()
  assert.deepEqual(table(by), entry)
  assert.deepEqual(fixture.table.triggers, triggers)
  assert.deepEqual(fixture.table.projects, published)
  assert.equal(await rollback(by), 1)
})
