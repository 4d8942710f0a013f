import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ApiFixture, type Login } from './fixture.ts'

describe('topics by the API', () => {
  let api: ApiFixture
  before(async () => {
    api = await ApiFixture.open()
  })
  after(() => api?.[Symbol.asyncDispose]())

  const publish = (
    topic: string,
    payload: string | Buffer,
    headers: Record<string, string>,
    by: Login = api.member,
  ) =>
    api.api.inject({
      method: 'POST',
      url: `/v1/topics/${topic}/messages`,
      headers: { ...by.headers, ...headers },
      payload,
    })
  const read = async (topic: string, query = '') =>
    (await api.call('GET', `/v1/topics/${topic}/messages${query}`, api.member)).json().items

  test('a topic is made, shown, listed, changed and deleted', async () => {
    const made = await api.call('POST', '/v1/topics', api.member, {
      body: { name: 'orders', retention: { ageMs: 60_000 } },
    })
    assert.equal(made.statusCode, 201, made.body)
    assert.equal(made.json().retention.ageMs, 60_000)
    assert.equal(made.json().projectId, undefined)
    assert.equal(
      (await api.call('POST', '/v1/topics', api.member, { body: { name: 'orders' } })).statusCode,
      409,
    )
    const shown = await api.call('GET', '/v1/topics/orders', api.reader)
    assert.deepEqual(shown.json(), made.json())
    const listed = await api.call('GET', '/v1/topics?limit=1', api.reader)
    assert.deepEqual(listed.json(), { items: [made.json()] })
    const changed = await api.call('PATCH', '/v1/topics/orders', api.member, {
      body: { retention: { messagesMax: 5 } },
    })
    assert.deepEqual(changed.json().retention, { ...made.json().retention, messagesMax: 5 })
    assert.equal((await api.call('DELETE', '/v1/topics/orders', api.member)).statusCode, 204)
    assert.equal((await api.call('GET', '/v1/topics/orders', api.member)).statusCode, 404)
  })

  test('bad input names the field', async () => {
    const cases = [
      [{ name: 'a/b' }, 'name'],
      [{ name: 'x', retention: { ageMs: 0 } }, 'retention.ageMs'],
    ] as const
    for (const [body, pointer] of cases) {
      const answer = await api.call('POST', '/v1/topics', api.member, { body })
      assert.equal(answer.statusCode, 400)
      assert.equal(answer.json().errors[0].pointer, pointer)
    }
  })

  test('a message of any type is published as it is, with id, key and attributes from headers', async () => {
    await api.call('POST', '/v1/topics', api.member, { body: { name: 'raw' } })
    const bytes = Buffer.from([0, 255, 10])
    const first = await publish('raw', bytes, {
      'content-type': 'image/png',
      'atelier-message-id': 'm-1',
      'atelier-key': 'k',
      'atelier-attribute-region': 'north',
    })
    assert.equal(first.statusCode, 201, first.body)
    assert.deepEqual(first.json(), { positions: [1] })
    const again = await publish('raw', bytes, { 'content-type': 'image/png', 'atelier-message-id': 'm-1' })
    assert.deepEqual(again.json(), { positions: [1] })
    await publish('raw', '{"a":1}', { 'content-type': 'application/json' })
    const [one, two, ...rest] = await read('raw')
    assert.deepEqual(
      { ...one, publishedAt: '' },
      {
        position: 1,
        id: 'm-1',
        key: 'k',
        contentType: 'image/png',
        attributes: { region: 'north' },
        base64: bytes.toString('base64'),
        publishedAt: '',
      },
    )
    assert.equal(two.text, '{"a":1}')
    assert.deepEqual(rest, [])
    assert.deepEqual(
      (await read('raw', '?after=1&limit=5')).map((each: { position: number }) => each.position),
      [2],
    )
  })

  test('CloudEvents are published in each mode and keep their attributes', async () => {
    await api.call('POST', '/v1/topics', api.member, { body: { name: 'events' } })
    const event = (id: string) => ({
      specversion: '1.0',
      id,
      source: '/s',
      type: 't',
      region: 'north',
      data: { id },
    })
    await publish('events', 'body', {
      'content-type': 'text/plain',
      'ce-specversion': '1.0',
      'ce-id': 'e1',
      'ce-source': '/s',
      'ce-type': 't',
    })
    await publish('events', JSON.stringify(event('e2')), { 'content-type': 'application/cloudevents+json' })
    const batch = JSON.stringify([event('e3'), event('e2'), { ...event('e3'), source: '/other' }])
    const answer = await publish('events', batch, { 'content-type': 'application/cloudevents-batch+json' })
    assert.deepEqual(
      answer.json(),
      { positions: [3, 2, 4] },
      'the same id of the same source is the same event',
    )
    const items = await read('events')
    assert.deepEqual(
      items.map((each: { attributes: Record<string, string> }) => each.attributes['ce-id']),
      ['e1', 'e2', 'e3', 'e3'],
    )
    assert.equal(items[1].attributes['ce-region'], 'north')
    assert.deepEqual(JSON.parse(items[1].text), { id: 'e2' })
    const wrong = await publish('events', '{"specversion":"1.0"}', {
      'content-type': 'application/cloudevents+json',
    })
    assert.equal(wrong.statusCode, 400)
  })

  test('several messages come as one array, all or none', async () => {
    await api.call('POST', '/v1/topics', api.member, { body: { name: 'many' } })
    const type = { 'content-type': 'application/vnd.atelier.messages+json' }
    const fine = [{ data: { a: 1 }, attributes: { x: 'y' } }, { text: 'hello', key: 'k' }, { base64: 'AP8=' }]
    assert.deepEqual((await publish('many', JSON.stringify(fine), type)).json(), { positions: [1, 2, 3] })
    const wrong = [{ data: 1 }, { text: 'x', base64: 'AP8=' }, { nothing: true }]
    const refused = await publish('many', JSON.stringify(wrong), type)
    assert.equal(refused.statusCode, 400)
    assert.deepEqual(
      refused.json().errors.map((each: { pointer: string }) => each.pointer),
      ['1', '2.nothing', '2'],
    )
    const odd = [{ data: 1, attributes: 'xy' }, { base64: 'A' }, { base64: 'AP-_' }]
    assert.deepEqual(
      (await publish('many', JSON.stringify(odd), type))
        .json()
        .errors.map((each: { pointer: string }) => each.pointer),
      ['0.attributes', '1.base64', '2.base64'],
    )
    assert.equal((await publish('many', '{}', type)).statusCode, 400)
    assert.equal((await publish('many', 'no json', type)).statusCode, 400)
    const items = await read('many')
    assert.deepEqual(
      items.map((each: { text?: string; base64?: string }) => each.text ?? each.base64),
      ['{"a":1}', 'hello', 'AP8='],
    )
  })

  test('readers read and do not write; strangers see nothing; nobody gets in without a token', async () => {
    await api.call('POST', '/v1/topics', api.member, { body: { name: 'guarded' } })
    const type = { 'content-type': 'text/plain' }
    assert.equal((await publish('guarded', 'x', type, api.reader)).statusCode, 403)
    assert.equal((await publish('guarded', 'x', type, api.stranger)).statusCode, 404)
    assert.equal((await api.call('GET', '/v1/topics/guarded/messages', api.stranger)).statusCode, 404)
    assert.equal((await api.call('DELETE', '/v1/topics/guarded', api.stranger)).statusCode, 404)
    assert.equal((await api.call('POST', '/v1/topics', api.reader, { body: { name: 'no' } })).statusCode, 403)
    assert.equal((await api.call('GET', '/v1/topics')).statusCode, 401)
    assert.equal((await api.call('GET', '/v1/topics/guarded/messages', api.reader)).statusCode, 200)
  })
})
