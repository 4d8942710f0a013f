import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreateFront } from '../../../src/router/front.ts'
import { startRouter } from '../../router/fixture.ts'
import type { HandlerCall } from '../../router/handlers.ts'
import { WINDOW_BYTES } from '../../router/handlers.ts'
import { RawClient, until } from '../../router/raw-client.ts'

const echo = async (call: HandlerCall) => call.respond(200, [], await call.text())
const GET = 'GET /acme/main/hello HTTP/1.1\r\nHost: h\r\n\r\n'

export function bodyCases(front: CreateFront): void {
  test('a small body reaches the function whole, however it was cut', async t => {
    const { port, invoker } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.send('POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab')
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(invoker.calls.length, 0)
    client.send('cdef')
    assert.equal((await client.answer()).body, 'abcdef')
    assert.equal(Buffer.from(invoker.last.request.body!).toString(), 'abcdef')
  })

  test('a chunked body is taken apart, its extensions and trailers dropped', async t => {
    const { port, invoker } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.send(
      'POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTrailer: X-T\r\n\r\n',
    )
    client.send('3;name="v;\\"x"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n')
    client.send(GET)
    assert.equal((await client.answer()).body, 'abc0123456789')
    assert.equal((await client.answer()).body, 'Hello, World!')
    assert.equal(invoker.calls[0]!.header('x-t'), undefined)
    assert.equal(invoker.calls[0]!.header('host'), 'h')
    assert.equal(invoker.calls[0]!.header('transfer-encoding'), undefined)
  })

  test('chunks that arrive byte by byte are the same chunks', async t => {
    const { port } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.socket.setNoDelay(true)
    client.send('POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (const character of '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n') {
      client.send(character)
      await new Promise(setImmediate)
    }
    assert.equal((await client.answer()).body, 'abcde')
    client.send(GET)
    assert.equal((await client.answer()).body, 'Hello, World!')
  })

  test('an unknown transfer coding is refused with 501', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(
      'POST /acme/main/hello HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    )
    assert.equal((await client.answer()).status, 501)
    assert.equal(invoker.calls.length, 0)
  })

  test('a GET may have a body', async t => {
    const { port } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc')
    assert.equal((await client.answer()).body, 'abc')
  })

  test('Expect: 100-continue is answered when the body is wanted', async t => {
    const { port } = await startRouter(t, { front, handlers: { echo } })
    const client = await RawClient.open(t, port)
    for (const framing of ['Content-Length: 3', 'Transfer-Encoding: chunked']) {
      client.send(`POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n${framing}\r\n\r\n`)
      assert.equal((await client.answer()).status, 100)
      client.send(framing.startsWith('C') ? 'abc' : '3\r\nabc\r\n0\r\n\r\n')
      assert.equal((await client.answer()).body, 'abc')
    }
  })

  test('Expect: 100-continue on a request that is refused gets the refusal alone', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send('POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
    const { status, headers } = await client.answer()
    assert.equal(status, 404)
    assert.equal(headers['connection'], 'close')
    await client.ended()
  })

  test('a large body streams, and no more than a window of it waits for the function', async t => {
    let go = () => {}
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: {
        count: async call => {
          await new Promise<void>(resolve => (go = resolve))
          let bytes = 0
          for await (const chunk of call.body()) bytes += chunk.length
          call.respond(200, [], String(bytes))
        },
      },
    })
    const client = await RawClient.open(t, port)
    const size = 16 * 1_048_576
    client.send(`POST /acme/main/count HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`)
    client.send(Buffer.alloc(size, 120))
    await until(() => invoker.calls.length > 0 && invoker.last.buffered >= WINDOW_BYTES)
    await new Promise(resolve => setTimeout(resolve, 50))
    go()
    assert.equal((await client.answer()).body, String(size))
    assert.ok(
      invoker.last.bufferedMax <= WINDOW_BYTES + 2 * 65_536,
      `${invoker.last.bufferedMax} bytes waited`,
    )
  })

  test('a body over the limit is refused with 413, by its length or when it gets there', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      limits: { bodyBytesMax: 1_000 },
      handlers: { echo },
    })
    const first = await RawClient.open(t, port)
    first.send('POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n')
    assert.equal((await first.answer()).status, 413)
    assert.equal(invoker.calls.length, 0)
    const second = await RawClient.open(t, port)
    second.send('POST /acme/main/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
    second.send(`3e9\r\n${'x'.repeat(1_001)}\r\n`)
    assert.equal((await second.answer()).status, 413)
    await second.ended()
    assert.equal(invoker.last.signal.aborted, true)
  })

  test('an answer before the end of a large body arrives whole, and the connection ends', async t => {
    const { port } = await startRouter(t, { front, handlers: { no: call => call.respond(403, [], 'no') } })
    const client = await RawClient.open(t, port)
    client.send('POST /acme/main/no HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n')
    client.send(Buffer.alloc(1_000_000))
    const { status, headers, body } = await client.answer()
    assert.equal(status, 403)
    assert.equal(headers['connection'], 'close')
    assert.equal(body, 'no')
    await client.ended()
  })

  test('a function may answer while it still reads', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        upper: async call => {
          call.head(200)
          for await (const chunk of call.body()) await call.write(Buffer.from(chunk).toString().toUpperCase())
          call.end()
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.send('POST /acme/main/upper HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
    await client.headOnly()
    assert.equal(await client.chunk(), 'A')
    client.send('1\r\nb\r\n')
    assert.equal(await client.chunk(), 'B')
    client.send('0\r\n\r\n')
    assert.equal(await client.chunk(), '')
  })

  test('the unread small body of a refused request does not hurt the next one', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(`POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /${GET}`)
    assert.equal((await client.answer()).status, 404)
    assert.equal((await client.answer()).body, 'Hello, World!')
  })
}
