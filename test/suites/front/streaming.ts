import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../../src/core/index.ts'
import type { CreateFront } from '../../../src/router/front.ts'
import { startRouter } from '../../router/fixture.ts'
import { type HandlerCall, WINDOW_BYTES } from '../../router/handlers.ts'
import { RawClient, until } from '../../router/raw-client.ts'

const open = (name: string) => `GET /acme/main/${name} HTTP/1.1\r\nHost: h\r\n\r\n`

export function streamingCases(front: CreateFront): void {
  test('server-sent events leave as they are made', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: { events: call => call.head(200, ['content-type', 'text/event-stream']) },
    })
    const client = await RawClient.open(t, port)
    client.send(open('events'))
    // The head comes before any event.
    assert.match(await client.headOnly(), /text\/event-stream/)
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      await invoker.last.write(event)
      assert.equal(await client.chunk(), event)
    }
    invoker.last.end()
    assert.equal(await client.chunk(), '')
  })

  test('a streamed answer with a length of its own keeps it', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        two: async call => {
          call.head(200, ['content-length', '4'])
          await call.write('ab')
          await new Promise(setImmediate)
          await call.write('cd')
          call.end()
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.send(open('two'))
    const { headers, body } = await client.answer()
    assert.equal(headers['content-length'], '4')
    assert.equal(headers['transfer-encoding'], undefined)
    assert.equal(body, 'abcd')
  })

  test('a slow client holds the function back at its window, and gets everything', async t => {
    const size = 8 * 1_048_576
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: {
        big: async call => {
          call.head(200, ['content-length', String(size)])
          for (let sent = 0; sent < size; sent += 65_536) await call.write(Buffer.alloc(65_536, 97))
          call.end()
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.socket.pause()
    client.send(open('big'))
    await until(() => invoker.calls.length > 0 && invoker.last.unconsumed >= WINDOW_BYTES)
    assert.equal(invoker.last.isOver, false)
    client.socket.resume()
    assert.equal((await client.answer()).body.length, size)
    assert.ok(invoker.last.unconsumedMax <= WINDOW_BYTES + 65_536)
    await until(() => invoker.last.unconsumed === 0) // the server hears of it after the client
  })

  test('a client that takes nothing for too long is given up', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      limits: { writeStallMs: 100 },
      handlers: {
        flood: async call => {
          call.head(200)
          for (;;) await call.write(Buffer.alloc(65_536))
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.socket.pause()
    client.send(open('flood'))
    await until(() => invoker.calls.length > 0 && invoker.last.signal.aborted)
  })

  for (const headers of [[], ['content-length', '100']]) {
    test(`an answer that breaks off ${headers.length > 0 ? 'within its length' : 'between chunks'} resets the connection`, async t => {
      const { port, router } = await startRouter(t, {
        front,
        handlers: {
          broken: async call => {
            call.head(200, headers)
            await call.write('half')
            await new Promise(resolve => setTimeout(resolve, 20))
            call.fail(new AtelierError('FUNCTION_CRASHED', 'The instance ended.'))
          },
        },
      })
      const client = await RawClient.open(t, port)
      client.send(open('broken'))
      await assert.rejects(client.answer(), /connection ended/)
      await client.ended()
      assert.doesNotMatch(client.rest, /0\r\n\r\n$/)
      assert.equal(client.isReset, true)
      assert.equal(router.counters.brokenOff, 1)
    })
  }

  test('HTTP/1.0 learns of an answer that breaks off by a reset as well', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        broken: async call => {
          call.head(200)
          await call.write('half')
          await new Promise(resolve => setTimeout(resolve, 20))
          call.fail(new AtelierError('FUNCTION_CRASHED', 'The instance ended.'))
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/broken HTTP/1.0\r\n\r\n')
    await new Promise(resolve => client.socket.once('close', resolve))
    assert.equal(client.isReset, true)
  })

  test('a body longer or shorter than its Content-Length breaks the connection off', async t => {
    const send =
      (...parts: string[]) =>
      async (call: HandlerCall) => {
        call.head(200, ['content-length', '4'])
        for (const part of parts) {
          await call.write(part)
          await new Promise(resolve => setTimeout(resolve, 10))
        }
        call.end()
      }
    const { port } = await startRouter(t, {
      front,
      handlers: { short: send('a', 'b'), long: send('abc', 'defg') },
    })
    for (const name of ['short', 'long']) {
      const client = await RawClient.open(t, port)
      client.send(open(name))
      await assert.rejects(client.answer(), name)
      assert.equal(client.rest.includes('defg'), false)
    }
  })

  test('a failure before anything was sent is a whole problem, and the connection lives', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        dead: call => call.fail(new AtelierError('FUNCTION_CRASHED', 'The instance ended.')),
        late: call => {
          call.head(200)
          call.fail(new AtelierError('FUNCTION_TIMEOUT', 'No answer after 30 s.'))
        },
        full: call =>
          call.fail(new AtelierError('TOO_MANY_REQUESTS', 'The queue is full.', { retryAfterS: 1.2 })),
      },
    })
    const client = await RawClient.open(t, port)
    for (const [name, status] of [
      ['dead', 502],
      ['late', 504],
      ['full', 429],
    ] as const) {
      client.send(open(name))
      const { status: got, headers, body } = await client.answer()
      assert.equal(got, status)
      assert.equal(headers['content-type'], 'application/problem+json')
      const problem = JSON.parse(body)
      assert.equal(problem.status, status)
      assert.equal(problem.instance, `urn:atelier:invocation:${headers['atelier-invocation-id']}`)
      if (status === 429) assert.equal(headers['retry-after'], '2')
    }
  })

  test('a client that leaves cancels its call', async t => {
    const { port, invoker, router } = await startRouter(t, { front, handlers: { wait: () => {} } })
    const client = await RawClient.open(t, port)
    client.send(open('wait'))
    await until(() => invoker.calls.length > 0)
    client.socket.resetAndDestroy()
    await until(() => invoker.last.signal.aborted)
    assert.equal(router.counters.aborted, 1)
    assert.equal(router.counters.requestsActive, 0)
  })

  test('a client that leaves in the middle of its body, or of its answer, cancels its call', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: {
        read: call => call.text(),
        tell: async call => {
          call.head(200)
          await call.write('x')
        },
      },
    })
    const first = await RawClient.open(t, port)
    first.send('POST /acme/main/read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await until(() => invoker.calls.length === 1)
    first.socket.destroy()
    await until(() => invoker.last.signal.aborted)
    const second = await RawClient.open(t, port)
    second.send(open('tell'))
    await second.headOnly()
    second.socket.destroy()
    await until(() => invoker.last.signal.aborted && invoker.calls.length === 2)
  })

  test('what a function says after the client left goes nowhere', async t => {
    const { port, invoker, router, logged } = await startRouter(t, { front, handlers: { wait: () => {} } })
    const client = await RawClient.open(t, port)
    client.send(open('wait'))
    await until(() => invoker.calls.length > 0)
    client.socket.destroy()
    await until(() => invoker.last.signal.aborted)
    invoker.last.respond(200, [], 'too late')
    await new Promise(setImmediate)
    assert.deepEqual(logged, [])
    assert.equal(router.counters.answers[2], 0)
  })
}
