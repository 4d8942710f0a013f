import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cors } from '../../src/core/index.ts'
import { startRouter } from './fixture.ts'

const cors: Cors = {
  origins: ['https://app.example'],
  methods: [],
  headers: ['x-a'],
  exposeHeaders: ['x-out'],
  credentials: true,
  maxAgeS: 600,
}
const ORIGIN = 'https://app.example'

test('a preflight is answered without a function and without a token', async t => {
  const { url, invoker } = await startRouter(t, {
    triggers: [{ function: 'hello', path: '/c', methods: ['PUT', 'GET'], access: 'private', cors }],
  })
  const response = await fetch(`${url}/c`, {
    method: 'OPTIONS',
    headers: {
      origin: ORIGIN,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-a',
    },
  })
  assert.equal(response.status, 204)
  assert.equal(response.headers.get('access-control-allow-origin'), ORIGIN)
  assert.equal(response.headers.get('access-control-allow-methods'), 'PUT, GET')
  assert.equal(response.headers.get('access-control-allow-headers'), 'x-a')
  assert.equal(response.headers.get('access-control-allow-credentials'), 'true')
  assert.equal(response.headers.get('access-control-max-age'), '600')
  assert.match(response.headers.get('vary')!, /Origin/)
  assert.equal(invoker.calls.length, 0)
})

test('a preflight of another origin is allowed nothing', async t => {
  const { url } = await startRouter(t, { triggers: [{ function: 'hello', path: '/c', cors }] })
  const response = await fetch(`${url}/c`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
  })
  assert.equal(response.status, 204)
  assert.equal(response.headers.get('access-control-allow-origin'), null)
})

test('answers and errors carry the trigger\u2019s rules, not the function\u2019s', async t => {
  const { url } = await startRouter(t, {
    handlers: { wild: call => call.respond(200, ['access-control-allow-origin', '*', 'x-out', '1'], 'ok') },
    triggers: [
      { function: 'wild', path: '/c', cors },
      { function: 'wild', path: '/p', access: 'private', cors },
      { function: 'wild', path: '/own' },
    ],
  })
  const headers = { origin: ORIGIN }
  const answer = await fetch(`${url}/c`, { headers })
  assert.equal(answer.headers.get('access-control-allow-origin'), ORIGIN)
  assert.equal(answer.headers.get('access-control-expose-headers'), 'x-out')
  assert.equal((await fetch(`${url}/p`, { headers })).headers.get('access-control-allow-origin'), ORIGIN)
  const evil = await fetch(`${url}/c`, { headers: { origin: 'https://evil.example' } })
  assert.equal(evil.headers.get('access-control-allow-origin'), null)
  assert.equal(evil.headers.get('vary'), 'Origin')
  assert.equal((await fetch(`${url}/own`, { headers })).headers.get('access-control-allow-origin'), '*')
})

test('any origin never comes with credentials', async t => {
  const { url } = await startRouter(t, {
    triggers: [{ function: 'hello', path: '/c', cors: { ...cors, origins: ['*'] } }],
  })
  const response = await fetch(`${url}/c`, { headers: { origin: 'https://evil.example' } })
  assert.equal(response.headers.get('access-control-allow-origin'), '*')
  assert.equal(response.headers.get('access-control-allow-credentials'), null)
})

test('without rules of the trigger, OPTIONS is the function\u2019s like any other method', async t => {
  const { url, invoker } = await startRouter(t)
  const response = await fetch(`${url}/acme/main/hello`, {
    method: 'OPTIONS',
    headers: { origin: ORIGIN, 'access-control-request-method': 'PUT' },
  })
  assert.equal(response.status, 200)
  assert.equal(invoker.last.header('access-control-request-method'), 'PUT')
  assert.equal(invoker.last.header('origin'), ORIGIN)
})
