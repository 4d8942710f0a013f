import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNotification } from '../../../src/triggers/object/cadf.ts'

const config = { url: 'amqp://rabbit', projects: ['p1'] }

interface Told {
  readonly action?: string
  readonly object?: string | null
  readonly container?: string | null
  readonly project?: string
  readonly by?: string | null
  readonly outgoing?: number
  readonly payload?: object
  readonly eventType?: string
}

/** A message in the form that ceilometermiddleware 3.0 sends. */
function message(told: Told = {}): Buffer {
  const { action = 'put', object = 'photo.jpg', container = 'up', project = 'p1', by = project } = told
  const measurement = (name: string, result: number) => ({
    result,
    metric: { metricId: 'm', unit: 'B', name },
  })
  const payload = {
    typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event',
    eventType: 'activity',
    id: 'f3d6',
    eventTime: '2026-01-01T03:05:56.810840',
    action: 'update',
    outcome: 'success',
    observer: { id: 'target' },
    initiator: { id: 'u1', typeURI: 'service/security/account/user', project_id: by },
    target: {
      id: project,
      typeURI: 'service/storage/object',
      action,
      metadata: {
        path: `v1/AUTH_${project}/up/photo.jpg`,
        version: 'v1',
        container,
        object,
      },
    },
    measurements: [
      measurement('storage.objects.incoming.bytes', 8),
      ...(told.outgoing === undefined ? [] : [measurement('storage.objects.outgoing.bytes', told.outgoing)]),
    ],
    ...told.payload,
  }
  const inner = {
    message_id: '70e7',
    event_type: told.eventType ?? 'objectstore.http.request',
    priority: 'INFO',
    payload,
  }
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner) }))
}

function read(told: Told, more: object = {}) {
  return readNotification(message(told), { ...config, ...more }, 5)
}

test('a notification of an upload becomes an event', () => {
  const told = read({})
  assert.ok(told !== 'unwanted')
  assert.deepEqual(told.happened, {
    event: 'written',
    container: 'up',
    object: 'photo.jpg',
    timeMs: Date.parse('2026-01-01T03:05:56.810Z'),
    sizeBytes: 8,
    project: 'p1',
    user: 'u1',
  })
  assert.equal(told.source, 'swift://AUTH_p1')
  assert.equal((told.original!['cadf'] as { id: string }).id, 'f3d6')
})

test('a message without the envelope is read too', () => {
  const { 'oslo.message': inner } = JSON.parse(message().toString()) as { 'oslo.message': string }
  assert.notEqual(readNotification(Buffer.from(inner), config, 5), 'unwanted')
})

test('reads, requests about containers and other notifications are not wanted', () => {
  for (const told of [
    { action: 'get' },
    { action: 'head' },
    { object: null },
    { object: '' },
    { container: null, object: null },
    { eventType: 'compute.instance.update' },
  ])
    assert.equal(read(told), 'unwanted', JSON.stringify(told))
})

test('methods choose; POST is about metadata, COPY about what is copied', () => {
  const kinds = { put: 'written', post: 'metadata', delete: 'deleted', copy: 'copied' }
  for (const [action, event] of Object.entries(kinds)) {
    assert.equal(read({ action }) === 'unwanted', action === 'post' || action === 'copy')
    const told = read({ action }, { methods: ['PUT', 'POST', 'DELETE', 'COPY'] })
    assert.ok(told !== 'unwanted')
    assert.equal(told.happened.event, event)
  }
})

test('requests that Swift refused are left out, though they are told as successes', () => {
  assert.equal(read({ outgoing: 131 }), 'unwanted')
  assert.equal(read({ action: 'delete', outgoing: 70 }), 'unwanted')
  assert.equal(read({ payload: { outcome: 'failure' } }), 'unwanted')
  assert.notEqual(read({ action: 'post', outgoing: 76 }, { methods: ['POST'] }), 'unwanted') // it has an answer
})

test("other projects' accounts, and strangers in one's own, are not heard", () => {
  assert.equal(read({ project: 'p2' }), 'unwanted')
  assert.equal(read({ by: 'p2' }), 'unwanted')
  assert.equal(read({ by: null }), 'unwanted')
  assert.notEqual(read({ by: null }, { strangers: true }), 'unwanted')
  assert.equal(read({ project: 'p2', by: 'p1' }, { strangers: true }), 'unwanted')
})

test('names beyond ASCII, which arrive encoded twice, are read', () => {
  const name = (object: string): string => {
    const told = read({ object })
    assert.ok(told !== 'unwanted')
    return told.happened.object
  }
  assert.equal(name('%C3%83%C2%A9%20a.jpg'), 'é a.jpg')
  assert.equal(name('%C3%A9.jpg'), 'é.jpg') // should a later release encode it once
  assert.equal(name('100%.jpg'), '100%.jpg')
  assert.equal(name('%E6%97%A5.jpg'), '日.jpg')
})

test('what is no notification is told as such', () => {
  const bad = ['', 'x', '[]', '{}', '{"oslo.message":"x"}', '{"oslo.message":"[]"}', '{"oslo.message":"{}"}']
  for (const text of bad)
    assert.throws(() => readNotification(Buffer.from(text), config, 5), { code: 'INVALID_INPUT' }, text)
})
