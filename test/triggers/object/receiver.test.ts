import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../../src/core/index.ts'
import { createObjectKind } from '../../../src/triggers/object/kind.ts'
import { objectTrigger, ScriptedHost } from './scripted-host.ts'

const kind = createObjectKind({ allows: () => false })

function receiving(config: Readonly<Record<string, unknown>>) {
  const host = new ScriptedHost()
  const running = kind.start(objectTrigger(config), host)
  const send = (body: unknown, { method = 'POST', headers = [] as string[] } = {}) =>
    running.receive!({
      method,
      path: '',
      query: '',
      headers,
      body:
        body instanceof Uint8Array
          ? body
          : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      remoteAddress: '192.0.2.7',
      receivedAt: 1_780_000_000_000,
      signal: new AbortController().signal,
    })
  return { host, send }
}

const upload = {
  'x-auth-token': 'gAAAA-secret',
  version: 'v1',
  account: 'AUTH_p1',
  container: 'up',
  object: 'a/pic 2.jpg',
  project_id: 'p1',
}

function s3Record(key: string, more: object = {}, objectMore: object = {}) {
  return {
    eventVersion: '2.0',
    eventSource: 'minio:s3',
    eventTime: '2026-01-01T03:04:05.678Z',
    eventName: 's3:ObjectCreated:Put',
    responseElements: { 'x-amz-request-id': 'R1' },
    s3: { bucket: { name: 'photos' }, object: { key, size: 12, eTag: 'e1', sequencer: 'S1', ...objectMore } },
    ...more,
  }
}

test('an upload that the Swift middleware tells of becomes an event with what the middleware said, without the token', async () => {
  const { host, send } = receiving({ source: 'swift-middleware' })
  const answer = await send(upload)
  assert.equal(answer.status, 202)
  assert.deepEqual(JSON.parse(String(answer.body)), { accepted: 1, filtered: 0 })
  const [event] = host.delivered
  assert.equal(event!.type, 'atelier.object.written')
  assert.equal(event!.subject, 'up/a/pic 2.jpg')
  assert.equal(event!.source, 'swift://AUTH_p1')
  assert.deepEqual(host.bodies[0], {
    event: 'written',
    version: 'v1',
    account: 'AUTH_p1',
    container: 'up',
    object: 'a/pic 2.jpg',
    project_id: 'p1',
    project: 'p1',
    timeMs: 1_780_000_000_000,
  })
  assert.ok(!Buffer.from(event!.data).toString().includes('secret'))
})

test("the uploader's token goes on when the trigger asks for it", async () => {
  const { host, send } = receiving({ source: 'swift-middleware', swift: { passToken: true } })
  await send(upload)
  assert.equal((host.bodies[0] as { 'x-auth-token': string })['x-auth-token'], 'gAAAA-secret')
})

test('two uploads of one object are two events, unless the middleware says that they are one request', async () => {
  const { host, send } = receiving({ source: 'swift-middleware' })
  await send(upload)
  await send(upload)
  await send({ ...upload, transaction: 'tx1' })
  await send({ ...upload, transaction: 'tx1' })
  const ids = host.delivered.map(each => each.id)
  assert.notEqual(ids[0], ids[1])
  assert.equal(ids[2], ids[3])
})

test('filters on container, prefix, suffix and account leave events out and count them', async () => {
  const filter = { container: 'up', prefix: 'a/', suffix: '.jpg', swift: { account: 'AUTH_p1' } }
  const { host, send } = receiving({ source: 'swift-middleware', ...filter })
  for (const change of [
    { container: 'other' },
    { object: 'b/x.jpg' },
    { object: 'a/x.png' },
    { account: 'AUTH_other' },
  ])
    assert.deepEqual(JSON.parse(String((await send({ ...upload, ...change })).body)), {
      accepted: 0,
      filtered: 1,
    })
  assert.equal(host.filteredCount, 4)
  await send(upload)
  assert.equal(host.delivered.length, 1)
})

test('segments of large objects are left out unless the trigger asks for them', async () => {
  const segment = { ...upload, container: 'up_segments' }
  const silent = receiving({ source: 'swift-middleware' })
  await silent.send(segment)
  assert.equal(silent.host.delivered.length, 0)
  for (const config of [{ segments: true }, { container: 'up_segments' }]) {
    const asking = receiving({ source: 'swift-middleware', ...config })
    await asking.send(segment)
    assert.equal(asking.host.delivered.length, 1)
  }
})

test('bodies that are no upload are refused and make no event', async () => {
  const { host, send } = receiving({ source: 'swift-middleware' })
  const bad: unknown[] = ['', 'no json', '[]', 'null', '7', {}, { ...upload, object: '' }]
  bad.push(
    { ...upload, container: ['up'] },
    { ...upload, object: 'x'.repeat(1_025) },
    new Uint8Array([0xff, 0xfe]),
  )
  for (const body of bad) await assert.rejects(send(body), { code: 'INVALID_INPUT' })
  await assert.rejects(send('x'.repeat(1024 * 1024 + 1)), { code: 'BODY_TOO_LARGE' })
  await assert.rejects(send(upload, { method: 'GET' }), { code: 'METHOD_NOT_ALLOWED' })
  assert.equal(host.delivered.length, 0)
})

test('a queue without room is told to the sender', async () => {
  const { host, send } = receiving({ source: 'swift-middleware' })
  host.refusals.push(new AtelierError('TOO_MANY_REQUESTS', 'The queue is full.'))
  await assert.rejects(send(upload), { code: 'TOO_MANY_REQUESTS' })
})

test('each record of an S3 notification is an event; the function sees it as the sender has it too', async () => {
  const { host, send } = receiving({ source: 's3' })
  const second = s3Record(
    'b.jpg',
    { eventName: 'ObjectRemoved:Delete', eventTime: 'not a time' },
    { size: '7' },
  )
  await send({
    EventName: 's3:ObjectCreated:Put',
    Key: 'photos/a%2Fb+c.jpg',
    Records: [s3Record('a%2Fb+c.jpg'), second],
  })
  assert.deepEqual(
    host.delivered.map(each => [each.type, each.subject, each.source, each.time]),
    [
      ['atelier.object.written', 'photos/a/b c.jpg', 's3://photos', Date.parse('2026-01-01T03:04:05.678Z')],
      ['atelier.object.deleted', 'photos/b.jpg', 's3://photos', 1_780_000_000_000],
    ],
  )
  assert.deepEqual(host.bodies[1], {
    Records: [second],
    event: 'deleted',
    container: 'photos',
    object: 'b.jpg',
    timeMs: 1_780_000_000_000,
    sizeBytes: 7,
    etag: 'e1',
  })
})

test('a record that is told again has the same id, another one has another', async () => {
  const { host, send } = receiving({ source: 's3' })
  const records = [s3Record('a'), s3Record('a'), s3Record('a', {}, { sequencer: 'S2' }), s3Record('b')]
  await send({ Records: records })
  const ids = host.delivered.map(each => each.id)
  assert.equal(ids[0], ids[1])
  assert.equal(new Set(ids).size, 3)
})

test('keys are taken as they are when the sender does not encode them', async () => {
  const plain = receiving({ source: 's3', s3: { plainKeys: true } })
  await plain.send({ Records: [s3Record('100%25+1.jpg')] })
  assert.equal(plain.host.delivered[0]!.subject, 'photos/100%25+1.jpg')
  const broken = receiving({ source: 's3' })
  await broken.send({ Records: [s3Record('100%.jpg')] })
  assert.equal(broken.host.delivered[0]!.subject, 'photos/100%.jpg')
})

test('event names choose, with and without s3:, with a star at the end', async () => {
  const { host, send } = receiving({
    source: 's3',
    s3: { eventNames: ['s3:ObjectCreated:Put', 'ObjectTagging:*'] },
  })
  const names = ['ObjectCreated:Put', 's3:ObjectCreated:Copy', 's3:ObjectTagging:Put', 'ObjectRemoved:Delete']
  await send({ Records: names.map((eventName, index) => s3Record(`k${index}`, { eventName })) })
  assert.deepEqual(
    host.delivered.map(each => each.type),
    ['atelier.object.written', 'atelier.object.metadata'],
  )
  assert.equal(host.filteredCount, 2)
})

test('only a sender that shows the token is heard, in each of the ways that MinIO and Ceph have', async () => {
  const { host, send } = receiving({ source: 's3', s3: { token: 'a-long-secret' } })
  const body = { Records: [s3Record('a')] }
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
  const wrong = [
    '',
    'Bearer',
    'Bearer other',
    'other',
    basic('user:other'),
    basic('a-long-secret:'),
    'Bearer a-long-secre',
  ]
  for (const authorization of wrong)
    await assert.rejects(send(body, { headers: ['authorization', authorization] }), {
      code: 'UNAUTHENTICATED',
    })
  await assert.rejects(send(body), { code: 'UNAUTHENTICATED' })
  // A value is no name: the token of somebody's other header does not count.
  await assert.rejects(send(body, { headers: ['x', 'authorization', 'authorization', 'no'] }), {
    code: 'UNAUTHENTICATED',
  })
  assert.equal(host.delivered.length, 0)
  for (const authorization of ['Bearer a-long-secret', 'a-long-secret', basic('ceph:a-long-secret')])
    await send(body, { headers: ['authorization', authorization] })
  assert.equal(host.delivered.length, 3)
})

test('MinIO, which asks first whether somebody is there, gets an answer', async () => {
  const { host, send } = receiving({ source: 's3', s3: { token: 'a-long-secret' } })
  assert.equal((await send('', { method: 'HEAD' })).status, 200)
  assert.equal(host.delivered.length, 0)
})

test('what is no S3 notification is refused whole', async () => {
  const { host, send } = receiving({ source: 's3' })
  const good = s3Record('a')
  const bad: unknown[] = [
    '',
    '[]',
    {},
    { Records: {} },
    { Records: [good, null] },
    { Records: [good, { s3: 1 }] },
  ]
  bad.push({ Records: [good, s3Record('')] }, { Records: Array.from({ length: 1_001 }, () => good) })
  for (const body of bad) await assert.rejects(send(body), { code: 'INVALID_INPUT' })
  assert.equal(host.delivered.length, 0)
})

test('a trigger that gets its events itself takes no requests', async () => {
  const { send } = receiving({
    source: 'poll',
    container: 'c',
    poll: { s3: { endpoint: 'http://127.0.0.1:1', accessKey: 'a', secretKey: 's' } },
  })
  await assert.rejects(send(upload), { code: 'CONFLICT' })
})

test('a test-fire without data is an object that the filters want', () => {
  const trigger = objectTrigger({ source: 's3', container: 'photos', prefix: 'in/', suffix: '.jpg' })
  assert.equal(kind.sample(trigger, 1).subject, 'photos/in/sample.jpg')
})

test('names with half a character, which JSON can hold, do no harm', async () => {
  const swift = receiving({ source: 'swift-middleware' })
  await swift.send({ ...upload, account: 'AUTH_\ud800', object: 'a\ud800\u0000b' })
  assert.equal(swift.host.delivered.length, 1)
  const s3 = receiving({ source: 's3' })
  const record = s3Record('a\udc00%')
  await s3.send({ Records: [{ ...record, s3: { ...record.s3, bucket: { name: '\ud800' } } }] })
  for (const { subject, source } of [...swift.host.delivered, ...s3.host.delivered])
    assert.ok(subject!.isWellFormed() && source.isWellFormed() && !subject!.includes('\u0000'))
})

test('refused requests are told in the state of the trigger, but a flood of them only now and then', async () => {
  const { host, send } = receiving({ source: 's3', s3: { token: 'a-long-secret' } })
  for (let count = 0; count < 100; count++) await assert.rejects(send('{}'), { code: 'UNAUTHENTICATED' })
  assert.equal(host.errors.length, 10)
  host.clock.advance(1_000)
  await assert.rejects(send('{}'), { code: 'UNAUTHENTICATED' })
  assert.equal(host.errors.length, 11)
})

test('a flood of requests is answered 429 before any of it is read', async () => {
  const { host, send } = receiving({ source: 'swift-middleware' })
  for (let count = 0; count < 5_000; count++) await send({ ...upload, container: 'x' })
  await assert.rejects(send(upload), { code: 'TOO_MANY_REQUESTS' })
  host.clock.advance(1_000)
  assert.equal((await send(upload)).status, 202)
})
