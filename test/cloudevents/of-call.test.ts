import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventsOfCall } from '../../src/cloudevents/index.ts'
import type { AsyncCall } from '../../src/core/index.ts'

const CALL: AsyncCall = {
  id: 'c1',
  projectId: 'p1',
  functionId: 'f1',
  appName: 'shop',
  functionName: 'pay',
  trigger: 'invoke',
  state: 'succeeded',
  attempts: 1,
  acceptedAt: 1_000,
  dueAt: 1_000,
  endedAt: 2_000,
  httpStatus: 200,
  resultBytes: 2,
}

test('an ordinary answer is the data of an event about its call', () => {
  const [event, ...more] = eventsOfCall(CALL, {
    status: 201,
    headers: ['Content-Type', 'application/json'],
    body: Buffer.from('{}'),
  })
  assert.equal(more.length, 0)
  assert.deepEqual(
    { ...event, data: Buffer.from(event!.data!).toString() },
    {
      id: 'c1',
      source: '/projects/p1/functions/f1',
      type: 'atelier.call.succeeded',
      subject: 'shop/pay',
      time: '1970-01-01T00:00:02.000Z',
      datacontenttype: 'application/json',
      extensions: { attempts: 1, trigger: 'invoke', httpstatus: 201 },
      data: '{}',
    },
  )
})

test('a type that no event may have is left out, and the event is there all the same', () => {
  for (const type of ['no type', `text/plain;a=${'a'.repeat(9_000)}`, 'application/cloudevents']) {
    const [event] = eventsOfCall(
      { ...CALL, state: 'failed' },
      { status: 500, headers: ['content-type', type], body: Buffer.from('x') },
    )
    assert.equal(event!.datacontenttype, undefined)
    assert.equal(event!.id, 'c1')
  }
})

test('an answer that is an event is that event, and a batch is several', () => {
  const headers = ['ce-specversion', '1.0', 'ce-id', 'x', 'ce-source', '/mine', 'ce-type', 'mine']
  const [event] = eventsOfCall(CALL, { status: 200, headers, body: Buffer.from('hi') })
  assert.equal(event!.type, 'mine')
  assert.equal(Buffer.from(event!.data!).toString(), 'hi')
  const one = { specversion: '1.0', source: '/mine', type: 'mine' }
  const batch = eventsOfCall(CALL, {
    status: 200,
    headers: ['content-type', 'application/cloudevents-batch+json'],
    body: Buffer.from(
      JSON.stringify([
        { ...one, id: '1' },
        { ...one, id: '2' },
      ]),
    ),
  })
  assert.deepEqual(
    batch.map(each => each.id),
    ['1', '2'],
  )
})

test('an answer that calls itself an event and is none is told of, not lost', () => {
  const body = Buffer.from('{"specversion":"1.0"}')
  const [event] = eventsOfCall(CALL, {
    status: 200,
    headers: ['content-type', 'application/cloudevents+json'],
    body,
  })
  assert.equal(event!.type, 'atelier.call.succeeded')
  assert.equal(event!.datacontenttype, undefined)
  assert.match(String(event!.extensions['invalidevent']), /id is missing/)
  assert.equal(event!.data, body)
})

test('a failed call is an event that says why, whatever the message is made of', () => {
  const [event] = eventsOfCall(
    {
      ...CALL,
      state: 'failed',
      triggerName: 'nightly',
      lastFailure: {
        kind: 'error',
        code: 'FUNCTION_FAILED',
        message: `bad\n\u0000 \ud800${'x'.repeat(20_000)}`,
      },
    },
    undefined,
  )
  assert.equal(event!.type, 'atelier.call.failed')
  assert.equal(event!.data, undefined)
  assert.equal(event!.extensions['failure'], 'error')
  assert.equal(event!.extensions['failurecode'], 'FUNCTION_FAILED')
  assert.equal(event!.extensions['triggername'], 'nightly')
  assert.match(String(event!.extensions['failuremessage']), /^bad {2}\ufffdx{900}/)
})
