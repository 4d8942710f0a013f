/** Secret URLs from the control plane to the queue: a real router, host, control plane and event store. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventTriggerView } from '../../src/control/index.ts'
import { createRouter } from '../../src/router/index.ts'
import { headerOf, TriggersFixture } from './fixture.ts'

const SECRET = 'a long random text'
const DAY_MS = 86_400_000

test('a signed request at the URL that a trigger was given becomes a call of its function', async t => {
  const { fixture, post } = await openHooks(t)
  const hook = await fixture.create('gh', { signature: 'github', secrets: [SECRET] }, { kind: 'webhook' })
  const answer = await post(hook, '/push?x=1', '{"ref":"main"}')
  assert.equal(answer.status, 202)
  const [taken] = fixture.calls.taken
  assert.deepEqual(await answer.json(), { id: taken!.id })
  assert.equal(answer.headers.get('atelier-invocation-id'), taken!.id)
  const { call } = taken!
  assert.deepEqual(
    [call.method, call.path, call.trigger, call.triggerName],
    ['POST', '/push?x=1', 'webhook', 'gh'],
  )
  assert.equal(Buffer.from(call.body!).toString(), '{"ref":"main"}')
  assert.equal(headerOf(call.headers, 'x-github-event'), 'push')
  assert.equal(headerOf(call.headers, 'atelier-trigger'), 'gh')
  assert.equal((await post(hook, '', '{"ref":"other"}', 'forged')).status, 401)
  assert.equal((await post(hook, '', '{"ref":"main"}')).status, 200, 'the same delivery')
  const status = fixture.triggers.status(hook.id)
  assert.deepEqual([status.accepted, status.duplicates], [1, 1])
  assert.match(status.lastError ?? '', /not genuine/)
})

test('a delivery with an id as long as it may be is known again', async t => {
  const { fixture, post } = await openHooks(t)
  const config = { signature: 'none', idHeader: 'x-github-delivery' }
  const hook = await fixture.create('long', config, { kind: 'webhook' })
  for (const status of [202, 200])
    assert.equal((await post(hook, '', '{}', SECRET, 'd'.repeat(200))).status, status)
  assert.ok(fixture.calls.taken[0]!.call.idempotencyKey!.length <= 255)
})

test('the secrets of a trigger are shown to nobody', async t => {
  const { fixture } = await openHooks(t)
  const hook = await fixture.create('gh', { signature: 'github', secrets: [SECRET] }, { kind: 'webhook' })
  assert.doesNotMatch(JSON.stringify(hook.config), /random/)
  assert.deepEqual(hook.secretsSet, ['secrets'])
  const open = await fixture.create('open', { signature: 'none' }, { kind: 'webhook' })
  assert.deepEqual(open.secretsSet, [])
  const listed = await fixture.control.control.listTriggers(fixture.by, {}, {})
  assert.doesNotMatch(JSON.stringify(listed), /random/)
})

test('a trigger is changed in part, and the rest stays as it is', async t => {
  const { fixture, post } = await openHooks(t)
  const hook = await fixture.create('gh', { signature: 'github', secrets: [SECRET] }, { kind: 'webhook' })
  await fixture.create('open', { signature: 'none' }, { kind: 'webhook' })
  const { control } = fixture.control
  await control.updateTrigger(fixture.by, 'open', { config: { methods: ['PUT'] } })
  await control.updateTrigger(fixture.by, 'gh', { config: { limits: { ratePerS: 1 } } })
  await fixture.settle()
  assert.equal((await post(hook, '', '{}')).status, 202)
})

test('a trigger asks for what its kind needs, and says which field is wrong', async t => {
  const { fixture } = await openHooks(t)
  for (const [kind, config, pointer] of [
    ['webhook', {}, 'config.signature'],
    ['webhook', { signature: 'github' }, 'config.secrets'],
    ['webhook', { signature: 'none', color: 'red' }, 'config'],
    ['webhook', { signature: 'none', limits: { ratePerS: 0 } }, 'config.limits.ratePerS'],
    ['alarm', { source: 'nagios' }, 'config.source'],
    ['alarm', { source: 'aodh', states: ['firing'] }, 'config.states'],
  ] as const)
    await assert.rejects(
      fixture.create('bad', config, { kind }),
      (error: { code: string; errors?: { pointer: string }[] }) =>
        error.code === 'INVALID_INPUT' && error.errors!.some(each => each.pointer.startsWith(pointer)),
      JSON.stringify(config),
    )
})

test('the event format of the trigger decides how its function gets a webhook', async t => {
  const { fixture, post } = await openHooks(t)
  const config = { signature: 'github', secrets: [SECRET] }
  const hook = await fixture.create('ce', config, { kind: 'webhook', format: 'cloudevent' })
  const body =
    '{"action":"opened","repository":{"full_name":"acme/shop","html_url":"https://github.com/acme/shop"}}'
  await post(hook, '', body)
  const { headers, body: sent } = fixture.calls.taken[0]!.call
  assert.equal(headerOf(headers, 'ce-type'), 'com.github.push.opened')
  assert.equal(headerOf(headers, 'ce-source'), 'https://github.com/acme/shop')
  assert.equal(headerOf(headers, 'ce-id'), 'd-1')
  assert.equal(Buffer.from(sent!).toString(), body)
})

test('requests are recorded without secrets, and can be replayed', async t => {
  const { fixture, post, url } = await openHooks(t)
  const record = { requests: 3, bodyBytesMax: 100 }
  const hook = await fixture.create(
    'gh',
    { signature: 'github', secrets: [SECRET], record },
    { kind: 'webhook' },
  )
  await post(hook, '/one', '{"n":1}', undefined, 'd-1')
  const [first] = await fixture.triggers.requests(hook.id, 10)
  assert.deepEqual(
    [first!.method, first!.path, first!.bodyText, first!.outcome, first!.callId],
    ['POST', '/one', '{"n":1}', 'accepted', fixture.calls.taken[0]!.id],
  )
  const again = await fixture.triggers.replay(hook.id, first!.id)
  assert.equal(again.length, 1)
  assert.equal(again[0]!.duplicate, false)
  const { call } = fixture.calls.taken[1]!
  assert.deepEqual([call.path, Buffer.from(call.body!).toString()], ['/one', '{"n":1}'])

  // The newest three are kept; a body that is too long is cut, and cannot be replayed.
  for (const n of [2, 3, 4]) {
    fixture.clock.advance(5)
    await post(hook, `/${n}`, `{"n":${n},"long":"${n === 4 ? 'x'.repeat(200) : ''}"}`, undefined, `d-${n}`)
  }
  const kept = await fixture.triggers.requests(hook.id, 10)
  assert.deepEqual(
    kept.map(each => each.path),
    ['/4', '/3', '/2'],
  )
  assert.equal(kept[0]!.bodyBytes > 200 && kept[0]!.bodyText.length === 100, true)
  await assert.rejects(fixture.triggers.replay(hook.id, kept[0]!.id), { code: 'CONFLICT' })
  await assert.rejects(fixture.triggers.replay(hook.id, first!.id), { code: 'NOT_FOUND' })
  fixture.clock.advance(DAY_MS + 1)
  assert.deepEqual(await fixture.triggers.requests(hook.id, 10), [])
  assert.equal(fixture.problems.length, 0)

  // Plain credentials are not kept.
  const basic = await fixture.create(
    'basic',
    { signature: 'basic', secrets: ['u:a password'] },
    { kind: 'webhook' },
  )
  const authorization = `Basic ${Buffer.from('u:a password').toString('base64')}`
  await fetch(url(basic), { method: 'POST', headers: { authorization }, body: '{}' })
  const [shown] = await fixture.triggers.requests(basic.id, 1)
  assert.equal(shown!.outcome, 'accepted')
  assert.equal(headerOf(shown!.headers, 'authorization'), undefined)
})

test("another project's recorded request cannot be had through a trigger of one's own", async t => {
  const { fixture, post } = await openHooks(t)
  const config = { signature: 'github', secrets: [SECRET] }
  const one = await fixture.create('one', config, { kind: 'webhook' })
  const two = await fixture.create('two', config, { kind: 'webhook' })
  await post(one, '', '{}')
  const [request] = await fixture.triggers.requests(one.id, 1)
  await assert.rejects(fixture.triggers.replay(two.id, request!.id), { code: 'NOT_FOUND' })
  assert.deepEqual(await fixture.triggers.requests(two.id, 10), [])
})

test('what came to a trigger is forgotten with it, and when it has grown old', async t => {
  const { fixture, post } = await openHooks(t)
  const made = async (name: string) => fixture.create(name, { signature: 'none' }, { kind: 'webhook' })
  const [kept, deleted, missed] = [await made('kept'), await made('deleted'), await made('missed')]
  for (const hook of [kept, deleted, missed]) assert.equal((await post(hook, '', 'private')).status, 202)
  for (const hook of [kept, deleted, missed])
    assert.equal((await fixture.triggers.requests(hook.id, 10)).length, 1)
  const { control } = fixture.control
  await control.deleteTrigger(fixture.by, 'deleted')
  await fixture.settle()
  const eventually = async (ids: readonly string[]) => {
    const wanted = ids.toSorted()
    for (let tries = 0; tries < 400; tries++) {
      if (JSON.stringify((await fixture.requests.triggerIds()).toSorted()) === JSON.stringify(wanted)) return
      await sleep(10)
    }
    assert.deepEqual((await fixture.requests.triggerIds()).toSorted(), wanted)
  }
  await eventually([kept.id, missed.id])
  // One that goes while no server runs is found by the next.
  await fixture.stopTriggers()
  await control.deleteTrigger(fixture.by, 'missed')
  await fixture.startTriggers()
  await eventually([kept.id])
  await fixture.advance(2 * DAY_MS)
  await eventually([])
})

test('an old URL opens for its grace after the new one was made, then no more', async t => {
  const { fixture, post } = await openHooks(t)
  const hook = await fixture.create('gh', { signature: 'github', secrets: [SECRET] }, { kind: 'webhook' })
  const rotated = await fixture.control.control.rotateTrigger(fixture.by, 'gh', 60_000)
  await fixture.settle()
  assert.notEqual(rotated.url, hook.url)
  assert.equal((await post(hook, '', '{}', undefined, 'd-1')).status, 202)
  assert.equal((await post(rotated, '', '{}', undefined, 'd-2')).status, 202)
  fixture.clock.advance(60_001)
  assert.equal((await post(hook, '', '{}', undefined, 'd-3')).status, 404)
  assert.equal((await post(rotated, '', '{}', undefined, 'd-4')).status, 202)
})

test('a trigger that is paused says so, and one that is deleted is not there', async t => {
  const { fixture, post } = await openHooks(t)
  const hook = await fixture.create('gh', { signature: 'github', secrets: [SECRET] }, { kind: 'webhook' })
  await fixture.control.control.updateTrigger(fixture.by, 'gh', { paused: true })
  await fixture.settle()
  const paused = await post(hook, '', '{}')
  assert.equal(paused.status, 503)
  assert.ok(paused.headers.get('retry-after'))
  await fixture.control.control.deleteTrigger(fixture.by, 'gh')
  await fixture.settle()
  assert.equal((await post(hook, '', '{}')).status, 404)
  assert.equal(fixture.calls.taken.length, 0)
})

test('an alarm that Aodh tells of becomes a call, whatever its content type', async t => {
  const { fixture, url } = await openHooks(t)
  const alarm = await fixture.create('cpu', { source: 'aodh', states: ['alarm'] }, { kind: 'alarm' })
  const body = JSON.stringify({
    alarm_id: 'a',
    alarm_name: 'cpu',
    previous: 'ok',
    current: 'alarm',
    severity: 'low',
  })
  const told = await fetch(url(alarm), { method: 'POST', body, headers: { 'content-type': 'text/odd' } })
  assert.equal(told.status, 202)
  assert.equal(Buffer.from(fixture.calls.taken[0]!.call.body!).toString(), body)
  const ok = await fetch(url(alarm), { method: 'POST', body: body.replace('"alarm","sev', '"ok","sev') })
  assert.deepEqual(await ok.json(), { calls: [], filtered: 1 })
  assert.equal(fixture.triggers.status(alarm.id).filtered, 1)
})

async function openHooks(t: TestContext) {
  const fixture = await TriggersFixture.open()
  const logged: unknown[] = []
  const log = (fields: object, message: string): void => void logged.push(fields, message)
  const router = createRouter({
    table: fixture.control.table,
    invoker: fixture.invoker,
    identity: fixture.control.identity,
    async: fixture.calls.engine,
    asyncUrl: id => id,
    hooks: fixture.triggers,
    log: { warn: log, error: log },
    clock: fixture.clock,
  })
  const { port } = await router.listen(0, '127.0.0.1')
  t.after(async () => {
    await router.close()
    await fixture[Symbol.asyncDispose]()
    assert.doesNotMatch(JSON.stringify(logged), /hooks\//, 'no URL is logged')
  })
  const url = ({ url }: EventTriggerView): string => `http://127.0.0.1:${port}${new URL(url!).pathname}`
  const post = (hook: EventTriggerView, rest: string, body: string, secret = SECRET, delivery = 'd-1') =>
    fetch(url(hook) + rest, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      },
      body,
    })
  return { fixture, post, url }
}
