import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { EventTriggerInput, EventTriggerView } from '../../src/control/index.ts'
import type { Principal } from '../../src/core/index.ts'
import { type KindLoaders, Kinds, type TriggerKind } from '../../src/triggers/index.ts'
import { createScheduleKind } from '../../src/triggers/schedule/kind.ts'
import { ControlFixture } from '../support/control.ts'

/** A kind with secrets and a URL, which takes what it is told. */
const doorbell: TriggerKind = {
  kind: 'webhook',
  summary: 'A bell.',
  configSchema: {
    type: 'object',
    properties: {
      user: { type: 'string' },
      auth: {
        type: 'object',
        properties: { scheme: { type: 'string' }, key: { type: 'string', minLength: 3 } },
        additionalProperties: false,
      },
      tags: { type: 'array', items: { type: 'string' } },
    },
    additionalProperties: false,
  },
  secretFields: ['auth.key', 'auth.other'],
  hasUrl: true,
  check: config =>
    config['user'] === 'nobody'
      ? { errors: [{ pointer: 'user', detail: 'is nobody' }] }
      : { config: { user: 'someone', ...config } },
  start: () => ({ stop: async () => {} }),
  sample: () => {
    throw new Error('not asked for')
  },
}

const loaders: KindLoaders = { schedule: async () => createScheduleKind(), webhook: async () => doorbell }

let fixture: ControlFixture
let ann: Principal
let bob: Principal
before(async () => {
  fixture = await ControlFixture.open({ triggers: new Kinds(loaders) })
  ann = await fixture.member('ann')
  bob = await fixture.member('bob')
  await fixture.deploy(ann, 'a')
  await fixture.deploy(bob, 'b')
})
after(() => fixture.dispose())

let names = 0
async function create(by: Principal, input: Partial<EventTriggerInput> = {}): Promise<EventTriggerView> {
  const name = `e${++names}`
  const view = await fixture.control.createTrigger(by, {
    kind: 'webhook',
    name,
    app: 'shop',
    function: 'cart',
    config: {},
    ...input,
  })
  assert.ok(view.kind !== 'http')
  return view
}

test('a trigger is published with what its kind completed, and gone when it is deleted', async () => {
  const view = await create(ann, { name: 'bell', config: { tags: ['x'] } })
  assert.deepEqual(view.config, { user: 'someone', tags: ['x'] })
  assert.deepEqual(
    [view.app, view.function, view.alias, view.format, view.paused],
    ['shop', 'cart', 'live', 'native', false],
  )
  const published = fixture.table.eventTriggers.get(view.id)!
  assert.deepEqual([published.projectName, published.config], ['ann', view.config])
  await fixture.control.deleteTrigger(ann, 'bell')
  assert.equal(fixture.table.eventTriggers.get(view.id), undefined)
  await assert.rejects(fixture.control.getTrigger(ann, 'bell'), { code: 'NOT_FOUND' })
})

test('secret fields are sealed, shown to nobody, and handed to those who run the trigger', async () => {
  const view = await create(ann, { name: 'sealed', config: { auth: { scheme: 'hmac', key: 'tops3cret' } } })
  assert.deepEqual(view.config, { user: 'someone', auth: { scheme: 'hmac' } })
  assert.deepEqual(view.secretsSet, ['auth.key'])
  assert.deepEqual(fixture.table.eventTriggers.get(view.id)!.config['auth'], {
    scheme: 'hmac',
    key: 'tops3cret',
  })
  const rows = await fixture.store.db.selectFrom('event_triggers').selectAll().execute()
  const { tokens } = fixture.table.eventTriggers.get(view.id)!
  for (const secret of ['tops3cret', tokens[0]!.token]) {
    assert.ok(!JSON.stringify(rows).includes(secret))
    const shown = await fixture.control.getTrigger(ann, 'sealed')
    assert.ok(!JSON.stringify({ ...shown, url: '' }).includes(secret))
  }
})

test('a change keeps the secrets that it leaves out, sets others, and removes what it names with null', async () => {
  const { id } = await create(ann, {
    name: 'kept',
    config: { auth: { scheme: 'a', key: 'first' }, tags: ['t'] },
  })
  const configNow = () => fixture.table.eventTriggers.get(id)!.config
  await fixture.control.updateTrigger(ann, 'kept', { config: { auth: { scheme: 'b' } } })
  assert.deepEqual(configNow()['auth'], { scheme: 'b', key: 'first' })
  await fixture.control.updateTrigger(ann, 'kept', { config: { auth: { key: 'second' } } })
  assert.deepEqual(configNow()['auth'], { scheme: 'b', key: 'second' })
  const view = await fixture.control.updateTrigger(ann, 'kept', {
    config: { auth: { key: null }, tags: null },
  })
  assert.deepEqual(configNow(), { user: 'someone', auth: { scheme: 'b' } })
  assert.deepEqual((view as EventTriggerView).secretsSet, [])
  await fixture.control.updateTrigger(ann, 'kept', { alias: 'live', config: {} })
  assert.deepEqual(configNow(), { user: 'someone', auth: { scheme: 'b' } })
})

test('secrets and tokens are the same after a restart', async () => {
  const { id } = await create(ann, { name: 'lasting', config: { auth: { key: 'tops3cret' } } })
  const before = fixture.table.eventTriggers.get(id)
  await fixture.restart()
  assert.deepEqual(fixture.table.eventTriggers.get(id), before)
})

test('what a kind says is wrong stands at its field', async () => {
  const wrong: [object, string][] = [
    [{ user: 'nobody' }, 'config.user'],
    [{ user: 7 }, 'config.user'],
    [{ auth: { key: 'ab' } }, 'config.auth.key'],
    [{ auth: { colour: 'red' } }, 'config.auth.colour'],
    [JSON.parse('{"other":2}'), 'config.other'],
    [JSON.parse('{"__proto__":{"user":7}}'), 'config.__proto__'],
  ]
  for (const [config, pointer] of wrong)
    await assert.rejects(
      create(ann, { config: config as Record<string, unknown> }),
      (error: { code: string; errors: readonly { pointer: string }[] }) => {
        assert.deepEqual([error.code, error.errors.map(each => each.pointer)], ['INVALID_INPUT', [pointer]])
        return true
      },
    )
})

test('a name is taken by a trigger of whatever kind', async () => {
  await create(ann, { name: 'one-name' })
  const route = { name: 'one-name', app: 'shop', function: 'cart', path: '/one-name' }
  await assert.rejects(fixture.control.createTrigger(ann, route), { code: 'CONFLICT' })
  await fixture.control.createTrigger(ann, { ...route, name: 'a-route', path: '/a-route' })
  await assert.rejects(create(ann, { name: 'a-route' }), { code: 'CONFLICT' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'one-name', { name: 'a-route' }), {
    code: 'CONFLICT',
  })
  await assert.rejects(fixture.control.updateTrigger(ann, 'a-route', { name: 'one-name' }), {
    code: 'CONFLICT',
  })
  await create(bob, { name: 'one-name' })
})

test('fields of one shape are refused in the other', async () => {
  await create(ann, { name: 'shape' })
  await fixture.control.createTrigger(ann, { name: 'route', app: 'shop', function: 'cart', path: '/shape' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'shape', { path: '/x' }), { code: 'INVALID_INPUT' })
  await assert.rejects(fixture.control.updateTrigger(ann, 'route', { paused: true }), {
    code: 'INVALID_INPUT',
  })
  await assert.rejects(create(ann, { kind: 'mystery' as 'queue' }), {
    code: 'INVALID_INPUT',
    message: /kind/,
  })
  await assert.rejects(create(ann, { format: 'xml' as 'native' }), {
    code: 'INVALID_INPUT',
    message: /format/,
  })
  await assert.rejects(create(ann, { kind: 'alarm' }), { code: 'NOT_IMPLEMENTED' })
})

test('a URL is shown to those who may write, and a new one takes its place after a grace', async () => {
  const { id, url } = await create(ann, { name: 'url' })
  assert.match(url!, /^http:\/\/127\.0\.0\.1:1882\/-\/hooks\/[\w-]{32}$/)
  const reader = await fixture.member('ann', 'reader')
  const seen = await fixture.control.getTrigger(reader, 'url')
  assert.equal(seen.url, undefined)

  const tokens = () => fixture.table.eventTriggers.get(id)!.tokens
  const [first] = tokens()
  const rotated = await fixture.control.rotateTrigger(ann, 'url', 60_000)
  assert.notEqual(rotated.url, url)
  assert.deepEqual(tokens()[1], { token: first!.token, validUntil: fixture.clock.now() + 60_000 })
  assert.ok(rotated.url!.endsWith(tokens()[0]!.token))
  // At once: then nothing opens but the new one.
  await fixture.control.rotateTrigger(ann, 'url', 0)
  assert.equal(tokens().length, 1)
  for (let i = 0; i < 10; i++) await fixture.control.rotateTrigger(ann, 'url', 1_000_000)
  assert.equal(tokens().length, 5)
  await assert.rejects(fixture.control.rotateTrigger(ann, 'url', -1), { code: 'INVALID_INPUT' })
  await assert.rejects(fixture.control.rotateTrigger(ann, 'no-such', 0), { code: 'NOT_FOUND' })
  await fixture.control.createTrigger(ann, { name: 'plain', app: 'shop', function: 'cart', path: '/plain' })
  await assert.rejects(fixture.control.rotateTrigger(ann, 'plain', 0), { code: 'CONFLICT' })
})

test('only who has seen the last revision changes it, and readers change nothing', async () => {
  await create(ann, { name: 'revised' })
  const second = await fixture.control.updateTrigger(ann, 'revised', { paused: true }, 1)
  assert.equal(second.revision, 2)
  await assert.rejects(fixture.control.updateTrigger(ann, 'revised', { paused: false }, 1), {
    code: 'PRECONDITION_FAILED',
  })
  await assert.rejects(fixture.control.deleteTrigger(ann, 'revised', 1), { code: 'PRECONDITION_FAILED' })
  const reader = await fixture.member('ann', 'reader')
  for (const attempt of [
    create(reader),
    fixture.control.updateTrigger(reader, 'revised', { paused: false }),
    fixture.control.deleteTrigger(reader, 'revised'),
    fixture.control.rotateTrigger(reader, 'revised', 0),
  ])
    await assert.rejects(attempt, { code: 'FORBIDDEN' })
})

test("another project's trigger does not exist", async () => {
  await create(ann, { name: 'hers' })
  for (const attempt of [
    fixture.control.getTrigger(bob, 'hers'),
    fixture.control.updateTrigger(bob, 'hers', { paused: true }),
    fixture.control.deleteTrigger(bob, 'hers'),
    fixture.control.rotateTrigger(bob, 'hers', 0),
  ])
    await assert.rejects(attempt, { code: 'NOT_FOUND' })
  await assert.rejects(create(bob, { app: 'nothing' }), { code: 'NOT_FOUND' })
})

test('a list holds all kinds in the order of their names, by pages, and filtered', async () => {
  const carl = await fixture.member('carl')
  await fixture.deploy(carl, 'c')
  for (const name of ['b', 'd', 'e']) await create(carl, { name })
  for (const name of ['a', 'c', 'f'])
    await fixture.control.createTrigger(carl, { name, app: 'shop', function: 'cart', path: `/carl-${name}` })
  await create(carl, { name: 'g', kind: 'schedule', config: { cron: '0 3 * * *' } })
  const all = async (filter: object) => {
    const found: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await fixture.control.listTriggers(carl, filter, { limit: 2, ...(cursor && { cursor }) })
      found.push(...page.items.map(each => each.name))
      cursor = page.next
      if (cursor === undefined) return found.join('')
    }
  }
  assert.equal(await all({}), 'abcdefg')
  assert.equal(await all({ kind: 'http' }), 'acf')
  assert.equal(await all({ kind: 'webhook' }), 'bde')
  assert.equal(await all({ kind: 'schedule' }), 'g')
  assert.equal(await all({ app: 'other' }), '')
  assert.equal(await all({ app: 'shop', function: 'cart' }), 'abcdefg')
})

test('a trigger may be given to another function, and goes with it', async () => {
  await fixture.deploy(ann, 'a2', { name: 'second' })
  const { id } = await create(ann, { name: 'moving' })
  await fixture.control.updateTrigger(ann, 'moving', { function: 'second' })
  assert.equal(fixture.table.eventTriggers.get(id)!.functionName, 'second')
  await assert.rejects(fixture.control.updateTrigger(ann, 'moving', { alias: 'nothing' }), {
    code: 'NOT_FOUND',
  })
  await fixture.control.deleteFunction(ann, 'shop', 'second')
  assert.equal(fixture.table.eventTriggers.get(id), undefined)
  await assert.rejects(fixture.control.getTrigger(ann, 'moving'), { code: 'NOT_FOUND' })
})

test('a version and an alias that a trigger uses stay', async () => {
  const by = await fixture.member('pinned')
  for (const code of ['1', '2', '3']) await fixture.deploy(by, code)
  await fixture.control.putAlias(by, 'shop', 'cart', 'used', [{ version: 2, weight: 100 }])
  await create(by, { name: 'old', alias: '1' })
  await create(by, { name: 'named', alias: 'used' })
  await assert.rejects(fixture.control.deleteVersion(by, 'shop', 'cart', 1), {
    code: 'CONFLICT',
    message: /trigger "old"/,
  })
  await assert.rejects(fixture.control.deleteAlias(by, 'shop', 'cart', 'used'), {
    code: 'CONFLICT',
    message: /trigger "named"/,
  })
  for (const code of ['4', '5', '6', '7']) await fixture.deploy(by, code)
  const kept = (await fixture.control.listVersions(by, 'shop', 'cart', {})).items.map(each => each.number)
  assert.deepEqual(kept, [7, 6, 5, 2, 1])
})

test('where there are no kinds, there are no event triggers', async () => {
  const bare = await ControlFixture.open()
  try {
    const dora = await bare.member('dora')
    await bare.deploy(dora, 'd')
    const input = { kind: 'schedule', name: 'x', app: 'shop', function: 'cart' } as const
    await assert.rejects(bare.control.createTrigger(dora, input), { code: 'NOT_IMPLEMENTED' })
  } finally {
    await bare.dispose()
  }
})
