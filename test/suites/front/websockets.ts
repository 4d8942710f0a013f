import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import WebSocket from 'ws'
import { AtelierError } from '../../../src/core/index.ts'
import type { CreateFront } from '../../../src/router/front.ts'
import { startRouter } from '../../router/fixture.ts'
import type { HandlerCall } from '../../router/handlers.ts'
import { RawClient, until } from '../../router/raw-client.ts'

const echo = (call: HandlerCall) => {
  call.onMessage = (data, text) => {
    call.handle.consumed(0)
    call.send(text ? Buffer.from(data).toString() : data)
  }
  call.head(101)
}

const handshake = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`

export function webSocketCases(front: CreateFront): void {
  test('text and binary messages go both ways and stay what they are', async t => {
    const { port, invoker, router } = await startRouter(t, { front, handlers: { echo } })
    const socket = openSocket(t, port, '/acme/main/echo/room?x=1')
    await once(socket, 'open')
    assert.equal(invoker.last.request.webSocket, true)
    assert.equal(invoker.last.request.path, '/room?x=1')
    assert.equal(invoker.last.header('upgrade'), undefined)
    assert.equal(router.counters.webSocketsOpen, 1)
    socket.send('h\u00e9llo')
    assert.deepEqual(await message(socket), { data: 'h\u00e9llo', isBinary: false })
    socket.send(Buffer.from([1, 2, 3]))
    assert.deepEqual(await message(socket), { data: '\x01\x02\x03', isBinary: true })
  })

  test('a message that comes right behind the handshake is not lost', async t => {
    const { port, invoker } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.send(
      Buffer.concat([
        Buffer.from(handshake('/acme/main/echo')),
        Buffer.from([0x81, 0x82, 0, 0, 0, 0, 104, 105]),
      ]),
    )
    const head = await client.headOnly()
    assert.match(head, /^HTTP\/1\.1 101 /)
    assert.match(head, /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i)
    assert.match(head, /atelier-invocation-id/)
    await until(() => invoker.last.messages.length === 1)
    assert.deepEqual(invoker.last.messages, [{ data: 'hi', text: true }])
  })

  test('the sub-protocol is the function\u2019s choice among those offered', async t => {
    const choose = (name: string) => (call: HandlerCall) => call.head(101, ['sec-websocket-protocol', name])
    const { port } = await startRouter(t, { front, handlers: { good: choose('v2'), bad: choose('v9') } })
    const good = openSocket(t, port, '/acme/main/good', ['v1', 'v2'])
    await once(good, 'open')
    assert.equal(good.protocol, 'v2')
    const bad = openSocket(t, port, '/acme/main/bad', ['v1', 'v2'])
    assert.equal(await refusal(bad), 502)
  })

  test('a function may refuse with an answer of its own', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: { no: call => call.respond(403, ['x-why', 'closed'], 'no entry') },
    })
    const client = await RawClient.open(t, port)
    client.send(handshake('/acme/main/no'))
    const { status, headers, body } = await client.answer()
    assert.equal(status, 403)
    assert.equal(headers['x-why'], 'closed')
    assert.match(headers['atelier-invocation-id']!, /^\w{26}$/)
    assert.equal(body, 'no entry')
    await client.ended()
  })

  test('what is not found, not allowed or malformed is an HTTP answer', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: { echo, 'private-echo': echo },
      triggers: [
        {
          function: 'echo',
          path: '/cors',
          cors: {
            origins: ['https://good.example'],
            methods: [],
            headers: [],
            exposeHeaders: [],
            credentials: false,
            maxAgeS: 0,
          },
        },
      ],
    })
    assert.equal(await refusal(openSocket(t, port, '/nowhere')), 404)
    assert.equal(await refusal(openSocket(t, port, '/acme/main/private-echo')), 401)
    assert.equal(await refusal(openSocket(t, port, '/cors', [], { origin: 'https://evil.example' })), 403)
    assert.equal(invoker.calls.length, 0)
    const allowed = openSocket(t, port, '/cors', [], { origin: 'https://good.example' })
    await once(allowed, 'open')
    const member = openSocket(t, port, '/acme/main/private-echo', [], {
      headers: { authorization: 'Bearer member' },
    })
    await once(member, 'open')
    assert.equal(invoker.last.header('authorization'), undefined)
    for (const [from, to] of [
      ['Version: 13', 'Version: 7'],
      ['dGhlIHNhbXBsZSBub25jZQ==', 'short'],
    ] as const) {
      const client = await RawClient.open(t, port)
      client.send(handshake('/acme/main/echo').replace(from, to))
      assert.equal((await client.answer()).status, 400)
    }
  })

  test('close codes and reasons pass both ways', async t => {
    const { port, invoker } = await startRouter(t, { front, handlers: { echo } })
    const first = openSocket(t, port, '/acme/main/echo')
    await once(first, 'open')
    first.close(4001, 'bye')
    await until(() => invoker.last.closed !== undefined)
    assert.deepEqual(Buffer.from(invoker.last.closed!), Buffer.from('\x0f\xa1bye', 'latin1'))
    for (const [payload, code, reason] of [
      [Buffer.from('\x0f\xa2done', 'latin1'), 4002, 'done'],
      [undefined, 1005, ''],
      [Buffer.from('\x03\xed', 'latin1'), 1011, /invalid code/],
    ] as const) {
      const socket = openSocket(t, port, '/acme/main/echo')
      await once(socket, 'open')
      invoker.last.end(payload)
      const closed = await closing(socket)
      assert.equal(closed.code, code)
      if (typeof reason === 'string') assert.equal(closed.reason, reason)
      else assert.match(closed.reason, reason)
    }
  })

  test('a client that vanishes cancels the call; a function that fails closes with 1011', async t => {
    const { port, invoker, router } = await startRouter(t, { front, handlers: { echo } })
    const gone = openSocket(t, port, '/acme/main/echo')
    await once(gone, 'open')
    gone.terminate()
    await until(() => invoker.last.signal.aborted)
    const failing = openSocket(t, port, '/acme/main/echo')
    await once(failing, 'open')
    invoker.last.fail(new AtelierError('FUNCTION_CRASHED', 'The instance ended.'))
    assert.equal((await closing(failing)).code, 1011)
    await until(() => router.counters.webSocketsOpen === 0)
  })

  test('a client that vanishes before the function has accepted cancels the call', async t => {
    const { port, invoker, router } = await startRouter(t, { front, handlers: { wait: () => {} } })
    const client = await RawClient.open(t, port)
    client.send(handshake('/acme/main/wait'))
    await until(() => invoker.calls.length > 0)
    client.socket.resetAndDestroy()
    await until(() => invoker.last.signal.aborted)
    assert.equal(router.counters.webSocketsOpen, 0)
  })

  test('a message over the limit closes with 1009', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      limits: { messageBytesMax: 100 },
      handlers: { echo },
    })
    const socket = openSocket(t, port, '/acme/main/echo')
    await once(socket, 'open')
    socket.send('x'.repeat(101))
    assert.equal((await closing(socket)).code, 1009)
    assert.deepEqual(invoker.last.messages, [])
  })

  test('compression is not negotiated', async t => {
    const { port } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.send(handshake('/acme/main/echo', 'Sec-WebSocket-Extensions: permessage-deflate\r\n'))
    assert.doesNotMatch(await client.headOnly(), /extensions/i)
  })

  test('a client that does not answer pings is given up', async t => {
    const { port, invoker } = await startRouter(t, { front, limits: { pingMs: 50 }, handlers: { echo } })
    const deaf = openSocket(t, port, '/acme/main/echo', [], { autoPong: false })
    await once(deaf, 'open')
    await until(() => invoker.last.signal.aborted)
  })

  test('a drain tells WebSockets to go away', async t => {
    const { port, router } = await startRouter(t, { front, handlers: { echo } })
    const socket = openSocket(t, port, '/acme/main/echo')
    await once(socket, 'open')
    const [closed] = await Promise.all([closing(socket), router.drain(5_000)])
    assert.equal(closed.code, 1001)
  })

  test('another protocol in Upgrade is ignored', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(
      'GET /acme/main/hello HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
    )
    assert.equal((await client.answer()).body, 'Hello, World!')
    assert.equal(invoker.last.header('http2-settings'), undefined)
  })
}

function openSocket(
  t: TestContext,
  port: number,
  path: string,
  protocols: string[] = [],
  options: WebSocket.ClientOptions = {},
): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, options)
  socket.on('error', () => {})
  t.after(() => socket.terminate())
  return socket
}

function once(socket: WebSocket, event: 'open'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve)
    socket.once('error', reject)
  })
}

function message(socket: WebSocket): Promise<{ data: string; isBinary: boolean }> {
  return new Promise(resolve =>
    socket.once('message', (data: Buffer, isBinary) => resolve({ data: data.toString(), isBinary })),
  )
}

function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise(resolve =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )
}

function refusal(socket: WebSocket): Promise<number> {
  return new Promise(resolve =>
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    }),
  )
}
