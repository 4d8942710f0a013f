import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ApiFixture, problem } from './fixture.ts'

let fixture: ApiFixture
before(async () => {
  fixture = await ApiFixture.open()
  await fixture.deploy(fixture.member)
  await fixture.deploy(fixture.stranger)
})
after(() => fixture[Symbol.asyncDispose]())

const NIGHTLY = {
  name: 'nightly',
  kind: 'schedule',
  app: 'shop',
  function: 'cart',
  config: { cron: '0 3 * * *', zone: 'Europe/Berlin' },
}

const create = (body: object) => fixture.call('POST', '/v1/triggers', fixture.member, { body })

test('a schedule is made, shown with how it does, listed, changed, paused, resumed and deleted', async () => {
  const made = await create(NIGHTLY)
  assert.equal(made.statusCode, 201, made.body)
  assert.deepEqual([made.headers['etag'], made.headers['location']], ['"1"', '/v1/triggers/nightly'])
  const shown = (await fixture.call('GET', '/v1/triggers/nightly', fixture.reader)).json()
  assert.deepEqual(
    [shown.kind, shown.format, shown.config.missed, shown.status.state, shown.status.accepted],
    ['schedule', 'native', 'once', 'active', 0],
  )
  assert.equal(shown.status.nextAt.length, 5)
  assert.match(shown.status.nextAt[0], /^\d{4}-\d\d-\d\dT0[12]:00:00\.000Z$/)

  const changed = await fixture.call('PATCH', '/v1/triggers/nightly', fixture.member, {
    body: { config: { cron: null, every: '1h' } },
    headers: { 'if-match': '"1"' },
  })
  assert.deepEqual(
    [changed.statusCode, changed.json().config.every, changed.json().config.cron],
    [200, '1h', undefined],
  )
  const paused = await fixture.call('POST', '/v1/triggers/nightly/pause', fixture.member)
  assert.deepEqual(
    [paused.json().paused, paused.json().status.state, paused.headers['etag']],
    [true, 'paused', '"3"'],
  )
  const resumed = await fixture.call('POST', '/v1/triggers/nightly/resume', fixture.member)
  assert.equal(resumed.json().paused, false)
  const listed = (await fixture.call('GET', '/v1/triggers?kind=schedule', fixture.reader)).json()
  assert.deepEqual(
    listed.items.map((each: { name: string }) => each.name),
    ['nightly'],
  )
  assert.equal((await fixture.call('DELETE', '/v1/triggers/nightly', fixture.member)).statusCode, 204)
})

test('what is fired by hand is accepted as a call, with the data that came along', async () => {
  await create({ ...NIGHTLY, name: 'fired', config: { ...NIGHTLY.config, data: { usual: true } } })
  const bodies: [unknown, string][] = [
    [undefined, '{"usual":true}'],
    [{ order: 7 }, '{"order":7}'],
    [[1, 2], '[1,2]'],
    ['text', '"text"'],
  ]
  for (const [body, expected] of bodies) {
    const headers = { 'content-type': 'application/json' }
    const options = body === undefined ? {} : { body: JSON.stringify(body), headers }
    const fired = await fixture.call('POST', '/v1/triggers/fired/fire', fixture.member, options)
    assert.equal(fired.statusCode, 202, fired.body)
    const taken = fixture.calls.taken.at(-1)!
    assert.deepEqual([fired.json().id, Buffer.from(taken.call.body!).toString()], [taken.id, expected])
    assert.deepEqual([taken.call.trigger, taken.call.triggerName], ['schedule', 'fired'])
  }
  const shown = (await fixture.call('GET', '/v1/triggers/fired', fixture.reader)).json()
  assert.deepEqual([shown.status.accepted, shown.status.lastCallId], [4, fixture.calls.taken.at(-1)!.id])
})

test('what is wrong is told at its field', async () => {
  const wrong: [object, string][] = [
    [{ ...NIGHTLY, name: 'w', config: { cron: '61 * * * *' } }, 'config.cron'],
    [{ ...NIGHTLY, name: 'w', config: { cron: '* * * * *', zone: 'Moon/Base' } }, 'config.zone'],
    [{ ...NIGHTLY, name: 'w', config: { cron: '* * * * *', colour: 'red' } }, 'config.colour'],
    [{ ...NIGHTLY, name: 'w', kind: 'mystery' }, '/kind'],
    [{ ...NIGHTLY, name: 'w', path: '/x' }, 'path'],
    [{ name: 'w', app: 'shop', function: 'cart' }, '/path'],
    [{ name: 'w', app: 'shop', function: 'cart', path: '/w', paused: true }, 'paused'],
  ]
  for (const [body, pointer] of wrong) {
    const { errors } = problem(await create(body), 400, 'INVALID_INPUT')
    assert.deepEqual(
      errors?.map(each => each.pointer),
      [pointer],
    )
  }
  await create({ ...NIGHTLY, name: 'seeking' })
  const seek = (body: object) => fixture.call('POST', '/v1/triggers/seeking/seek', fixture.member, { body })
  problem(await seek({}), 400, 'INVALID_INPUT')
  problem(await seek({ position: 1, at: '2026-11-02' }), 400, 'INVALID_INPUT')
  problem(await seek({ position: 1 }), 409, 'CONFLICT')
})

test('what a kind has not is said, and a route waits for no events', async () => {
  await create({ ...NIGHTLY, name: 'clock' })
  const post = (path: string) => fixture.call('POST', path, fixture.member)
  problem(await post('/v1/triggers/clock/rotate'), 409, 'CONFLICT')
  problem(await fixture.call('GET', '/v1/triggers/clock/requests', fixture.member), 409, 'CONFLICT')
  problem(await post('/v1/triggers/clock/requests/x/replay'), 409, 'CONFLICT')
  await create({ name: 'route', app: 'shop', function: 'cart', path: '/route' })
  for (const verb of ['fire', 'pause', 'resume', 'rotate'])
    problem(await post(`/v1/triggers/route/${verb}`), 409, 'CONFLICT')
})

test("a reader changes and fires nothing, and another project's trigger does not exist", async () => {
  await create({ ...NIGHTLY, name: 'guarded' })
  const attempts: ['GET' | 'POST' | 'PATCH' | 'DELETE', string, object?][] = [
    ['PATCH', '', { paused: true }],
    ['DELETE', ''],
    ['POST', '/fire'],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/rotate'],
    ['POST', '/seek', { position: 1 }],
    ['GET', '/requests'],
    ['POST', '/requests/x/replay'],
  ]
  for (const [method, path, body] of attempts) {
    const url = `/v1/triggers/guarded${path}`
    problem(await fixture.call(method, url, fixture.reader, { body }), 403, 'FORBIDDEN')
    problem(await fixture.call(method, url, fixture.stranger, { body }), 404, 'NOT_FOUND')
    problem(await fixture.call(method, url, undefined, { body }), 401, 'UNAUTHENTICATED')
  }
  problem(await fixture.call('GET', '/v1/triggers/guarded', fixture.stranger), 404, 'NOT_FOUND')
  const elsewhere = (await fixture.call('GET', '/v1/triggers', fixture.stranger)).json()
  assert.deepEqual(elsewhere.items, [])
})

test('the kinds tell what they want to know', async () => {
  const { items } = (await fixture.call('GET', '/v1/trigger-kinds', fixture.reader)).json()
  const schedule = items.find((each: { kind: string }) => each.kind === 'schedule')
  assert.equal(schedule.schema.properties.cron.type, 'string')
  for (const { kind, summary, examples } of items) {
    assert.ok(summary.length > 10 && examples.length > 0, `${kind} has a sentence and an example`)
  }
})
