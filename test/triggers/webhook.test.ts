import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { AtelierError, type EventTrigger } from '../../src/core/index.ts'
import type { HookAnswer, HookRequest, RunningTrigger } from '../../src/triggers/index.ts'
import type { Outcome, RequestLog } from '../../src/triggers/request-log.ts'
import { checkWebhook } from '../../src/triggers/webhook/config.ts'
import { createWebhookKind } from '../../src/triggers/webhook/kind.ts'
import { FakeClock } from '../support/clock.ts'
import { eventTrigger, hookRequest, RecordingHost } from '../support/trigger-host.ts'

const SECRET = 'a long random text'

test('webhook: a GitHub push becomes a call with method, path, query, headers and body as they came', async () => {
  const { post, host, log } = start({ signature: 'github', secrets: [SECRET] })
  const body = JSON.stringify({
    ref: 'refs/heads/main',
    repository: { full_name: 'acme/shop', html_url: 'https://github.com/acme/shop' },
  })
  const answer = await post(github(body, 'push', 'd-1', { path: '/deep', query: '?x=1' }))
  assert.equal(answer.status, 202)
  assert.deepEqual(JSON.parse(String(answer.body)), { id: 'call-1' })
  assert.equal(answer.callId, 'call-1')
  const [event] = host.delivered
  assert.equal(event!.id, 'd-1')
  assert.equal(event!.type, 'com.github.push')
  assert.equal(event!.source, 'https://github.com/acme/shop')
  assert.equal(event!.subject, 'acme/shop')
  assert.equal(event!.path, '/deep?x=1')
  assert.equal(event!.method, 'POST')
  assert.equal(event!.contentType, 'application/json')
  assert.equal(Buffer.from(event!.data).toString(), body)
  assert.ok(event!.headers!.includes('x-hub-signature-256'))
  assert.deepEqual(log.outcomes, [{ outcome: 'accepted', callId: 'call-1' }])
})

test('webhook: a delivery that comes again is the same call; without an id, or by choice, it is not', async () => {
  const again = start({ signature: 'github', secrets: [SECRET] })
  await again.post(github('{}', 'push', 'd-1'))
  const second = await again.post(github('{}', 'push', 'd-1'))
  assert.equal(second.status, 200)
  assert.deepEqual(JSON.parse(String(second.body)), { id: 'call-1', duplicate: true })
  assert.equal(again.host.delivered.length, 1)
  assert.equal(again.log.outcomes[1]!.outcome, 'duplicate')

  for (const [deduplicate, calls] of [
    ['none', 2],
    ['body', 1],
    ['id', 2],
  ] as const) {
    const { post, host } = start({ signature: 'github', secrets: [SECRET], deduplicate })
    await post(github('{}', 'push', 'd-1'))
    await post(github('{}', 'push', deduplicate === 'none' ? 'd-1' : 'd-2'))
    assert.equal(host.delivered.length, calls, deduplicate)
  }

  const plain = start({ signature: 'none', idHeader: 'X-Id', typeHeader: 'X-Type' })
  for (const id of ['1', '1', '2']) await plain.post(hookRequest('{}', ['x-id', id, 'x-type', 'paid']))
  assert.deepEqual(
    plain.host.delivered.map(each => [each.id, each.type]),
    [
      ['1', 'paid'],
      ['2', 'paid'],
    ],
  )
})

test('webhook: a forged request is refused, told to the owner, and a flood of them leaves the record alone', async () => {
  const { post, host, log } = start({ signature: 'github', secrets: [SECRET] })
  for (let i = 0; i < 500; i++) {
    const answer = await post(hookRequest('{}', ['x-hub-signature-256', `sha256=${'0'.repeat(64)}`]))
    assert.equal(answer.status, 401)
    assert.doesNotMatch(String(answer.body), /random/)
  }
  assert.equal(host.delivered.length, 0)
  assert.match(host.failures[0]!, /not genuine.*x-hub-signature-256/)
  assert.ok(log.outcomes.length <= 20, `${log.outcomes.length} were noted`)
  // Those who sign are heard all the while.
  assert.equal((await post(github('{}', 'push', 'd'))).status, 202)
})

test('webhook: a flood is answered 429 with the time to come back, and goes on then', async () => {
  const { post, host, clock } = start({ signature: 'none', limits: { ratePerS: 2, burst: 3 } })
  const send = (): Promise<HookAnswer> => post(hookRequest('{}'))
  for (let i = 0; i < 3; i++) assert.equal((await send()).status, 202)
  await assert.rejects(
    send(),
    (error: AtelierError) => error.code === 'TOO_MANY_REQUESTS' && error.retryAfterS === 1,
  )
  clock.advance(500)
  assert.equal((await send()).status, 202)
  await assert.rejects(send(), { code: 'TOO_MANY_REQUESTS' })
  assert.equal(host.delivered.length, 4)
})

test('webhook: only so many requests are in hand', async () => {
  const { post, host } = start({ signature: 'none', mode: 'sync', limits: { inHandMax: 1 } })
  const going = Promise.withResolvers<void>()
  host.answer = async () => {
    await going.promise
    return { status: 204, headers: [], body: new Uint8Array(0) }
  }
  const first = post(hookRequest('{}'))
  await assert.rejects(post(hookRequest('{}')), { code: 'TOO_MANY_REQUESTS' })
  going.resolve()
  assert.equal((await first).status, 204)
  assert.equal((await post(hookRequest('{}'))).status, 204)
})

test("webhook: the queue's own refusal goes to the sender", async () => {
  const { post, host, log } = start({ signature: 'none' })
  host.refusal = new AtelierError('STORAGE_FULL', 'The disk is full.')
  await assert.rejects(post(hookRequest('{}')), { code: 'STORAGE_FULL' })
  assert.deepEqual(log.outcomes, [{ outcome: 'refused', detail: 'The disk is full.' }])
})

test('webhook: what a filter leaves out is no call, and the sender is content', async () => {
  const filter = {
    headers: { 'X-GitHub-Event': ['push', 'release'] },
    fields: { ref: ['refs/heads/main'], 'repository.private': [false], 'commits.0.id': ['abc'] },
    attributes: { prefix: { type: 'com.github.' } },
  }
  const { post, host, log } = start({ signature: 'github', secrets: [SECRET], filter })
  const body = (change: object): string =>
    JSON.stringify({
      ref: 'refs/heads/main',
      repository: { private: false },
      commits: [{ id: 'abc' }],
      ...change,
    })
  let id = 0
  const send = async (event: string, text: string): Promise<number> =>
    (await post(github(text, event, `d-${id++}`))).status
  assert.equal(await send('push', body({})), 202)
  for (const [event, text] of [
    ['issues', body({})],
    ['push', body({ ref: 'refs/heads/other' })],
    ['push', body({ repository: { private: true } })],
    ['push', body({ repository: 'false' })],
    ['push', body({ commits: [] })],
    ['push', 'no json'],
    ['push', ''],
  ] as const)
    assert.equal(await send(event, text), 200, text)
  assert.equal(host.delivered.length, 1)
  assert.equal(host.filteredCount, 7)
  assert.equal(log.outcomes.at(-1)!.outcome, 'filtered')
})

test('webhook: fields are found in forms too, as Slack and GitHub send them', async () => {
  const { post, host } = start({ signature: 'none', filter: { fields: { command: ['/deploy'] } } })
  const form = ['content-type', 'application/x-www-form-urlencoded; charset=utf-8']
  assert.equal((await post(hookRequest('command=%2Fdeploy&text=x', form))).status, 202)
  assert.equal((await post(hookRequest('payload=%7B%22command%22%3A%22%2Fdeploy%22%7D', form))).status, 202)
  assert.equal((await post(hookRequest('command=%2Fother', form))).status, 200)
  assert.equal((await post(hookRequest('__proto__=x', form))).status, 200)
  assert.equal(host.delivered.length, 2)
})

test('webhook: in the mode sync the answer of the function goes to the sender, once for each event', async () => {
  const { post, host } = start({ signature: 'github', secrets: [SECRET], mode: 'sync' })
  const ok = await post(github('{}', 'push', 'd-1'))
  assert.equal(ok.status, 200)
  assert.equal(Buffer.from(ok.body!).toString(), 'done')
  assert.deepEqual(JSON.parse(String((await post(github('{}', 'push', 'd-1'))).body)), { duplicate: true })
  assert.equal(host.called.length, 1)
  // After a failure the sender may send it again.
  host.answer = async () => ({ status: 500, headers: [], body: new Uint8Array(0) })
  assert.equal((await post(github('{}', 'push', 'd-2'))).status, 500)
  host.answer = async () => {
    throw new AtelierError('FUNCTION_TIMEOUT', 'Too slow.')
  }
  await assert.rejects(post(github('{}', 'push', 'd-2')), { code: 'FUNCTION_TIMEOUT' })
  host.answer = async () => ({ status: 201, headers: [], body: new Uint8Array(0) })
  assert.equal((await post(github('{}', 'push', 'd-2'))).status, 201)
})

test('webhook: a sender that leaves cancels the call that it waited for', async () => {
  const { post, host } = start({ signature: 'none', mode: 'sync' })
  const left = new AbortController()
  host.answer = (_events, signal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('left'))))
  const going = post(hookRequest('{}', [], { signal: left.signal }))
  left.abort()
  await assert.rejects(going, /left/)
})

test('webhook: methods that are not taken are told', async () => {
  const { post } = start({ signature: 'none', methods: ['POST', 'PUT'] })
  const answer = await post(hookRequest('', [], { method: 'GET' }))
  assert.equal(answer.status, 405)
  assert.equal(valueOf(answer, 'allow'), 'POST, PUT')
  assert.equal((await post(hookRequest('', [], { method: 'PUT' }))).status, 202)
})

test("webhook: Slack's challenge is answered, and its users are shown nothing else", async () => {
  const { post, host, clock } = start({ signature: 'slack', secrets: [SECRET] })
  const slack = (body: string): HookRequest => {
    const at = String(clock.now() / 1000)
    const signature = createHmac('sha256', SECRET).update(`v0:${at}:${body}`).digest('hex')
    return hookRequest(body, ['x-slack-request-timestamp', at, 'x-slack-signature', `v0=${signature}`])
  }
  const challenge = slack('{"type":"url_verification","challenge":"3eZbrw1a"}')
  const answer = await post(challenge)
  assert.equal(answer.status, 200)
  assert.equal(answer.body, '3eZbrw1a')
  assert.equal(host.delivered.length, 0)
  const forged = await post({
    ...challenge,
    body: Buffer.from('{"type":"url_verification","challenge":"x"}'),
  })
  assert.equal(forged.status, 401)
  const event = await post(
    slack(
      '{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"message","channel":"C1"}}',
    ),
  )
  assert.deepEqual([event.status, event.body], [200, undefined])
  const [made] = host.delivered
  assert.deepEqual(
    [made!.id, made!.type, made!.source, made!.subject],
    ['Ev1', 'com.slack.message', 'https://slack.com/teams/T1', 'C1'],
  )
})

test('webhook: secrets that are sent as they are reach neither the function nor the record', async () => {
  const basic = start({ signature: 'basic', secrets: ['user:a password'] })
  const credentials = `Basic ${Buffer.from('user:a password').toString('base64')}`
  await basic.post(hookRequest('{}', ['authorization', credentials, 'x-kept', '1']))
  const gitlab = start({ signature: 'gitlab', secrets: [SECRET] })
  await gitlab.post(hookRequest('{}', ['x-gitlab-token', SECRET, 'cookie', 'a=b', 'x-kept', '1']))
  for (const { host, log } of [basic, gitlab]) {
    assert.deepEqual(host.delivered[0]!.headers!.slice(-2), ['x-kept', '1'])
    const kept = JSON.stringify([host.delivered[0]!.headers, log.requests[0]!.headers])
    assert.doesNotMatch(kept, /authorization|gitlab-token|password|random/)
  }
  const refused = await basic.post(hookRequest('{}'))
  assert.equal(valueOf(refused, 'www-authenticate'), 'Basic realm="atelier"')
})

test('webhook: a CloudEvent is itself for a trigger that delivers CloudEvents, and a batch is several', async () => {
  const { post, host } = start({ signature: 'none' }, { format: 'cloudevent' })
  const one = {
    specversion: '1.0',
    id: 'e1',
    source: '/shop',
    type: 'order.paid',
    time: '2026-01-01T00:00:00Z',
  }
  const structured = ['content-type', 'application/cloudevents+json']
  assert.equal(
    (await post(hookRequest(JSON.stringify({ ...one, data: { a: 1 }, region: 'eu' }), structured))).status,
    202,
  )
  assert.deepEqual(host.delivered[0], {
    id: 'e1',
    source: '/shop',
    type: 'order.paid',
    time: Date.UTC(2026, 0, 1),
    extensions: { region: 'eu' },
    contentType: 'application/json',
    data: Buffer.from('{"a":1}'),
  })
  const batch = JSON.stringify([
    { ...one, id: 'e2' },
    { ...one, id: 'e3' },
  ])
  const answer = await post(hookRequest(batch, ['content-type', 'application/cloudevents-batch+json']))
  assert.deepEqual(JSON.parse(String(answer.body)), { ids: ['call-2', 'call-3'] })
  await assert.rejects(post(hookRequest('{"specversion":"1.0"}', structured)), { code: 'INVALID_INPUT' })
})

test('webhook: a sender may ask first whether its events are wanted', async () => {
  const { post } = start({ signature: 'none' })
  const headers = ['webhook-request-origin', 'events.example.org', 'webhook-request-rate', '120']
  const answer = await post(hookRequest('', headers, { method: 'OPTIONS' }))
  assert.equal(answer.status, 200)
  assert.equal(valueOf(answer, 'webhook-allowed-origin'), 'events.example.org')
  assert.equal(valueOf(answer, 'webhook-allowed-rate'), '6000')
})

test('webhook: what senders call their events fits the attributes of a CloudEvent', async () => {
  const { post, host } = start({ signature: 'github', secrets: [SECRET] })
  const hostile = JSON.stringify({
    action: 'a\u0000\n',
    repository: { html_url: 'not a uri', full_name: '\ud800' },
  })
  await post(github(hostile, 'push', `d-${'x'.repeat(500)}`))
  const [event] = host.delivered
  assert.equal(event!.type, 'com.github.push.a')
  assert.equal(event!.source, '/projects/p1/triggers/hook')
  assert.equal(event!.subject, '\ufffd')
  assert.equal(event!.id.length, 64)
})

interface Started {
  readonly post: (request: HookRequest) => Promise<HookAnswer>
  readonly host: RecordingHost
  readonly log: Log
  readonly clock: FakeClock
}

function start(given: Readonly<Record<string, unknown>>, more: Partial<EventTrigger> = {}): Started {
  const checked = checkWebhook(given)
  assert.ok('config' in checked, JSON.stringify(checked))
  const clock = new FakeClock()
  const host = new RecordingHost(clock)
  const log = new Log()
  const running: RunningTrigger = createWebhookKind(log).start(
    eventTrigger('webhook', checked.config, more),
    host,
  )
  return { post: request => running.receive!(request), host, log, clock }
}

function github(body: string, event: string, delivery: string, more: Partial<HookRequest> = {}): HookRequest {
  const signature = createHmac('sha256', SECRET).update(body).digest('hex')
  const headers = [
    'content-type',
    'application/json',
    'x-github-event',
    event,
    'x-github-delivery',
    delivery,
    'x-hub-signature-256',
    `sha256=${signature}`,
  ]
  return hookRequest(body, headers, more)
}

class Log implements RequestLog {
  readonly outcomes: Outcome[] = []
  readonly requests: HookRequest[] = []

  add(...[, , request, what]: Parameters<RequestLog['add']>): void {
    this.outcomes.push(what)
    this.requests.push(request)
  }

  async list(): Promise<never> {
    throw new Error('not asked for')
  }

  async find(): Promise<never> {
    throw new Error('not asked for')
  }
}

function valueOf({ headers = [] }: HookAnswer, name: string): string | undefined {
  return headers[headers.indexOf(name) + 1]
}
