import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cloud, form, NOBODY } from './cloud.ts'

test('a webhook is made, shown, moved to an alias and back, and deleted', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  await cloud.must(201, 'POST', `/v1/functions/${id}/versions`, { body: {} })
  await cloud.must(201, 'POST', '/v1/aliases', { body: { name: 'prod', function_id: id } })
  const made = await cloud.must(201, 'POST', '/v1/webhooks', {
    body: { function_id: id, function_version: null, function_alias: null, description: 'first' },
  })
  const path = `/v1/webhooks/${made.json.id}`
  const seen = ({ json }: typeof made) => [json.function_id, json.function_version, json.function_alias]
  assert.deepEqual(seen(made), [id, 0, null])
  assert.equal(made.json.webhook_url, `${cloud.at.url}${path}/invoke`)
  const put = (body: object) => cloud.must(200, 'PUT', path, { body })
  const described = await put({ function_id: null, function_version: null, description: 'second' })
  assert.deepEqual([...seen(described), described.json.description], [id, 0, null, 'second'])
  assert.deepEqual(seen(await put({ function_version: '1' })), [id, 1, null])
  assert.deepEqual(seen(await put({ function_alias: 'prod' })), [null, null, 'prod'])
  assert.deepEqual(seen(await put({ function_id: id })), [id, 0, null])
  await cloud.refused(404, /^FunctionVersion not found/, 'PUT', path, { body: { function_version: 8 } })
  await cloud.refused(404, 'FunctionAlias not found [name=x]', 'PUT', path, { body: { function_alias: 'x' } })
  await cloud.refused(400, /Cannot set read only field\.$/, 'PUT', path, { body: { webhook_url: 'x' } })
  await cloud.refused(400, 'Either function_alias or function_id must be provided.', 'POST', '/v1/webhooks', {
    body: {},
  })
  await cloud.must(204, 'DELETE', path)
  await cloud.refused(404, `Webhook not found [id=${made.json.id}]`, 'GET', path)
})

test('anybody who knows a webhook calls it, with all parameters of the request as arguments', async t => {
  const cloud = await Cloud.open(t, {
    qinling: { endpoint: 'https://fn.example/', swiftUrl: '', executionDays: 90 },
  })
  const id = await cloud.made()
  const made = await cloud.must(201, 'POST', '/v1/webhooks', { body: { function_id: id } })
  assert.equal(made.json.webhook_url, `https://fn.example/v1/webhooks/${made.json.id}/invoke`)
  const path = `/v1/webhooks/${made.json.id}/invoke`
  const json = 'application/json'
  for (const [query, type, body, expected] of [
    ['', json, '{"a": 1.0, "b": {"c": null}}', { a: 1, b: { c: null } }],
    ['?q=1', 'application/x-www-form-urlencoded', 'name=Ann+B', { q: '1', name: 'Ann B' }],
    ['?q=1', json, '', { q: '1' }],
    ['', json, '[1]', {}],
    ['', 'text/plain', 'hello', {}],
    ['', 'application/cloudevents+json', '{"a":1}', {}],
  ] as const) {
    const answer = await cloud.at.ask('POST', `${path}${query}`, { body, headers: { 'content-type': type } })
    assert.equal(answer.status, 202, answer.text)
    assert.deepEqual(JSON.parse(String(cloud.at.accepted.at(-1)!.body)), expected)
    const shown = await cloud.must(200, 'GET', `/v1/executions/${answer.json.execution_id}`)
    assert.deepEqual(
      [shown.json.description, shown.json.sync, shown.json.status],
      [`Created by Webhook ${made.json.id}`, false, 'running'],
    )
  }
  const harmless = await cloud.at.ask('POST', path, { token: 'forged', body: {} })
  assert.equal(harmless.status, 202)
  const sent = await cloud.at.ask('POST', path, { form: form({ name: 'multi' }) })
  assert.equal(sent.status, 202)
  assert.deepEqual(JSON.parse(String(cloud.at.accepted.at(-1)!.body)), { name: 'multi' })
  assert.equal((await cloud.at.ask('POST', path, { body: '{' })).status, 400)
  assert.equal((await cloud.at.ask('POST', `/v1/webhooks/${NOBODY}/invoke`)).status, 404)
  assert.equal((await cloud.at.ask('POST', '/v1/webhooks/XYZ/invoke')).status, 401)
  const get = await cloud.at.ask('GET', path)
  assert.ok(get.status === 404 || get.status === 405)
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({ name: 'still' }) })
})
