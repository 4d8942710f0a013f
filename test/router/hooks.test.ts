import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AtelierError } from '../../src/core/index.ts'
import type { CreateFront } from '../../src/router/front.ts'
import type { HookReceiver } from '../../src/router/index.ts'
import { createNodeFront } from '../../src/router/node/front.ts'
import { createThinFront } from '../../src/router/thin/front.ts'
import type { HookAnswer, HookRequest } from '../../src/triggers/index.ts'
import { startRouter } from './fixture.ts'
import { RawClient } from './raw-client.ts'

const TOKEN = 'T0ken_of-a_trigger-with_32-signs'
const FRONTS: readonly [name: string, front: CreateFront][] = [
  ['thin', createThinFront],
  ['node', createNodeFront],
]

for (const [name, front] of FRONTS) {
  test(`${name}: a request at a secret URL comes whole to its trigger, and the answer goes back`, async t => {
    const hooks = new Hooks(({ body }) => ({
      status: 202,
      headers: ['content-type', 'application/json', 'x-mine', '1', 'atelier-forged', 'x'],
      body: `{"bytes":${body.length}}`,
      callId: 'call-1',
    }))
    const { url } = await startRouter(t, { front, hooks })
    const body = 'x'.repeat(300_000)
    const answer = await fetch(`${url}/-/hooks/${TOKEN}/a/b%2Fc?async=1&q=%20`, {
      method: 'PUT',
      headers: { 'X-Hub-Signature-256': 'sha256=ab', 'content-type': 'text/plain' },
      body,
    })
    assert.equal(answer.status, 202)
    assert.deepEqual(await answer.json(), { bytes: 300_000 })
    assert.equal(answer.headers.get('atelier-invocation-id'), 'call-1')
    assert.equal(answer.headers.get('x-mine'), '1')
    assert.equal(answer.headers.get('atelier-forged'), null)
    const request = hooks.requests[0]!
    assert.equal(request.method, 'PUT')
    assert.equal(request.path, '/a/b%2Fc')
    assert.equal(request.query, '?async=1&q=%20')
    assert.equal(Buffer.from(request.body).toString(), body)
    assert.equal(request.headers[request.headers.indexOf('x-hub-signature-256') + 1], 'sha256=ab')
    assert.equal(request.remoteAddress, '127.0.0.1')
  })

  test(`${name}: whoever has no token is told so before the body is read`, async t => {
    const hooks = new Hooks(() => ({ status: 204 }))
    const { port, url, logged } = await startRouter(t, { front, hooks })
    for (const path of [
      '/-/hooks/another_token_with_32_characters',
      '/-/hooks/short',
      `/-/hooks/${'x'.repeat(129)}`,
      '/-/hooks/',
      '/-/hooks',
      '/-/other',
      `/-/hooks//${TOKEN}`,
      `/-/hooks/${TOKEN}//other.example.org`,
    ])
      assert.equal((await fetch(url + path, { method: 'POST', body: 'x' })).status, 404, path)
    const client = await RawClient.open(t, port)
    client.send(
      `POST /-/hooks/${'x'.repeat(32)} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n`,
    )
    assert.equal((await client.answer()).status, 404)
    assert.equal(hooks.requests.length, 0)
    assert.deepEqual(logged, [])
  })

  test(`${name}: a body that is too large is refused, told or not`, async t => {
    const hooks = new Hooks(() => ({ status: 204 }))
    const { url } = await startRouter(t, { front, hooks, limits: { hookBodyBytesMax: 1_000 } })
    const send = async (body: string | ReadableStream): Promise<number> => {
      const answer = await fetch(`${url}/-/hooks/${TOKEN}`, {
        method: 'POST',
        body,
        duplex: 'half',
      })
      return answer.status
    }
    assert.equal(await send('x'.repeat(1_001)), 413)
    assert.equal(await send(new Blob(['x'.repeat(700), 'x'.repeat(700)]).stream()), 413)
    assert.equal(await send('x'.repeat(1_000)), 204)
    assert.equal(hooks.requests.length, 1)
  })

  test(`${name}: one project cannot hold the memory for bodies`, async t => {
    const hooks = new Hooks(
      () => ({ status: 204 }),
      token => (token.startsWith('other') ? 'p2' : 'p1'),
    )
    const { port, url } = await startRouter(t, { front, hooks, limits: { hookBodiesBytesMax: 4_000 } })
    const slow = await RawClient.open(t, port)
    slow.send(`POST /-/hooks/${TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(900)}`)
    const post = (token: string): Promise<Response> =>
      fetch(`${url}/-/hooks/${token}`, { method: 'POST', body: 'x'.repeat(500) })
    let refused: Response
    do refused = await post(TOKEN)
    while (refused.status === 204) // what was sent slowly has not come yet
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal((await post('other_token_with_many_signs')).status, 204)
    slow.send('x'.repeat(100))
    assert.equal((await slow.answer()).status, 204)
    assert.equal((await post(TOKEN)).status, 204)
  })

  test(`${name}: a body that comes drop by drop is given up`, async t => {
    const hooks = new Hooks(() => ({ status: 204 }))
    const { port } = await startRouter(t, { front, hooks, limits: { hookBodyMs: 60 } })
    const client = await RawClient.open(t, port)
    client.send(`POST /-/hooks/${TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nx`)
    assert.equal((await client.answer()).status, 408)
  })

  test(`${name}: no route stands in front of the platform's addresses`, async t => {
    const hooks = new Hooks(() => ({ status: 204 }))
    const { url, port, invoker } = await startRouter(t, {
      front,
      hooks,
      triggers: [
        { function: 'hello', path: '/*' },
        { function: 'hello', path: '/{x}/hooks/*' },
        { function: 'hello', path: '/-/hooks/*' },
      ],
    })
    assert.equal((await fetch(`${url}/-/hooks/${TOKEN}`)).status, 204)
    assert.equal((await fetch(`${url}/%2D/hooks/${TOKEN}`)).status, 204)
    assert.equal((await fetch(`${url}/-/x`)).status, 404)
    const client = await RawClient.open(t, port)
    client.send(`GET http://other.example.org/-/hooks/${TOKEN} HTTP/1.1\r\nHost: h\r\n\r\n`)
    assert.equal((await client.answer()).status, 204)
    const socket = await RawClient.open(t, port)
    socket.send(
      `GET /-/hooks/${TOKEN} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    )
    assert.equal((await socket.answer()).status, 404)
    assert.equal(invoker.calls.length, 0)
    assert.equal((await fetch(`${url}/-x/y`)).status, 200)
  })

  test(`${name}: errors of the trigger are the answer; a sender that leaves is told to it`, async t => {
    const called = Promise.withResolvers<AbortSignal>()
    const hooks = new Hooks(async ({ path, signal }) => {
      if (path === '/busy') throw new AtelierError('TOO_MANY_REQUESTS', 'Later.', { retryAfterS: 7 })
      if (path === '/broken') throw new Error('a secret of ours')
      called.resolve(signal)
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      return { status: 200 }
    })
    const { url, logged } = await startRouter(t, { front, hooks })
    const busy = await fetch(`${url}/-/hooks/${TOKEN}/busy`)
    assert.equal(busy.status, 429)
    assert.equal(busy.headers.get('retry-after'), '7')
    const broken = await fetch(`${url}/-/hooks/${TOKEN}/broken`)
    assert.equal(broken.status, 500)
    assert.doesNotMatch(await broken.text(), /secret|T0ken/)
    assert.equal(logged.length, 1)
    assert.doesNotMatch(JSON.stringify(logged[0]!.fields), /T0ken/)
    const control = new AbortController()
    const leaving = fetch(`${url}/-/hooks/${TOKEN}/wait`, { signal: control.signal })
    const left = await called.promise
    control.abort()
    await assert.rejects(leaving)
    while (!left.aborted) await sleep(5)
  })
}

class Hooks implements HookReceiver {
  readonly requests: HookRequest[] = []
  readonly #answer: (request: HookRequest) => HookAnswer | Promise<HookAnswer>
  readonly #project: (token: string) => string

  constructor(
    answer: (request: HookRequest) => HookAnswer | Promise<HookAnswer>,
    project: (token: string) => string = () => 'p1',
  ) {
    this.#answer = answer
    this.#project = project
  }

  hookProject(token: string): string | undefined {
    return token === TOKEN || token.startsWith('other') ? this.#project(token) : undefined
  }

  async receiveHook(_token: string, request: HookRequest): Promise<HookAnswer> {
    this.requests.push(request)
    return this.#answer(request)
  }
}
