import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreateFront } from '../../../src/router/front.ts'
import { startRouter } from '../../router/fixture.ts'
import { RawClient } from '../../router/raw-client.ts'

const GET = 'GET /acme/main/hello HTTP/1.1\r\nHost: h\r\n\r\n'

export function framingCases(front: CreateFront): void {
  test('a small answer goes out with its length and a date', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(GET)
    const { status, headers, body } = await client.answer()
    assert.equal(status, 200)
    assert.equal(headers['content-length'], '13')
    assert.equal(headers['transfer-encoding'], undefined)
    assert.match(headers['date']!, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    assert.equal(body, 'Hello, World!')
  })

  test('an answer to HEAD has the head of the answer and no body', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        sized: call =>
          call.respond(200, ['content-length', '5'], call.request.method === 'GET' ? 'abcde' : ''),
      },
    })
    const client = await RawClient.open(t, port)
    client.send('HEAD /acme/main/hello HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await client.answer(true)).status, 200)
    client.send('HEAD /acme/main/sized HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await client.answer(true)).headers['content-length'], '5')
    client.send('HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await client.answer(true)).status, 404)
    client.send(GET)
    assert.equal((await client.answer()).body, 'Hello, World!')
    assert.equal(client.rest, '')
  })

  test('204 and 304 have no body and no framing, whatever the function sends', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        empty: call => call.respond(204, ['content-length', '3'], 'abc'),
        same: call => call.respond(304, ['etag', '"x"'], 'abc'),
        reset: call => call.respond(205, [], 'abc'),
      },
    })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/empty HTTP/1.1\r\nHost: h\r\n\r\n')
    const empty = await client.answer()
    assert.equal(empty.headers['content-length'] ?? empty.headers['transfer-encoding'], undefined)
    client.send('GET /acme/main/same HTTP/1.1\r\nHost: h\r\n\r\n')
    const same = await client.answer()
    assert.equal(same.headers['etag'], '"x"')
    assert.equal(same.headers['transfer-encoding'], undefined)
    client.send('GET /acme/main/reset HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await client.answer()).headers['content-length'], '0')
    client.send(GET)
    assert.equal((await client.answer()).body, 'Hello, World!')
    assert.equal(client.rest, '')
  })

  test('an empty answer says so with its length', async t => {
    const { port } = await startRouter(t, { front, handlers: { nothing: call => call.respond(200) } })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/nothing HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await client.answer()).headers['content-length'], '0')
  })

  test('repeated header fields stay repeated, both ways and in order', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: {
        cookies: call =>
          call.respond(200, ['set-cookie', 'a=1', 'x-list', '1', 'set-cookie', 'b=2', 'x-list', '2'], 'ok'),
      },
    })
    const client = await RawClient.open(t, port)
    client.send(
      'GET /acme/main/cookies HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n',
    )
    const { headers } = await client.answer()
    assert.equal(headers['set-cookie'], 'a=1 | b=2')
    assert.equal(headers['x-list'], '1 | 2')
    assert.equal(invoker.last.header('x-a'), '1 | 2')
    assert.equal(invoker.last.header('cookie'), 'a=1 | b=2')
  })

  test('bytes above 127 in header values pass unchanged, both ways', async t => {
    const { port, invoker } = await startRouter(t, {
      front,
      handlers: { latin: call => call.respond(200, ['x-out', 'gr\xfc\xdfe']) },
    })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/latin HTTP/1.1\r\nHost: h\r\nX-In: gr\xfc\xdfe\r\n\r\n')
    assert.equal((await client.answer()).headers['x-out'], 'gr\xfc\xdfe')
    assert.equal(invoker.last.header('x-in'), 'gr\xfc\xdfe')
  })

  test('spaces and tabs around a header value are not part of it', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/hello HTTP/1.1\r\nHost: h\r\nX-A: \t a b \t\r\nX-B:\r\n\r\n')
    await client.answer()
    assert.equal(invoker.last.header('x-a'), 'a b')
    assert.equal(invoker.last.header('x-b'), '')
  })

  test('a head that is cut anywhere is not mixed with what others send meanwhile', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const other = await RawClient.open(t, port)
    const head = 'PUT /acme/main/hello HTTP/1.1\r\nHost: cut\r\n\r\n'
    for (let cut = 1; cut < head.length; cut++) {
      const client = await RawClient.open(t, port)
      client.send(head.slice(0, cut))
      await new Promise(resolve => setTimeout(resolve, 5))
      other.send(`DELETE /acme/main/hello?${'x'.repeat(60)} HTTP/1.1\r\nHost: other\r\n\r\n`)
      await other.answer()
      client.send(head.slice(cut))
      assert.equal((await client.answer()).status, 200, `cut at ${cut}`)
      const { method } = invoker.last.request
      assert.deepEqual([method, invoker.last.header('host')], ['PUT', 'cut'], `cut at ${cut}`)
      client.socket.destroy()
    }
  })

  test('a head that arrives byte by byte is the same head', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.socket.setNoDelay(true)
    for (const character of GET) {
      client.send(character)
      await new Promise(setImmediate)
    }
    assert.equal((await client.answer()).body, 'Hello, World!')
  })

  test('empty lines before a request are passed over', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(`\r\n\r\n${GET}`)
    assert.equal((await client.answer()).status, 200)
  })

  test('pipelined requests are answered in their order', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        echo: async call => {
          // The first takes longest.
          for (let i = Number(call.request.path.slice(1)); i < 5; i++) await new Promise(setImmediate)
          call.respond(200, [], call.request.path)
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.send([1, 2, 3, 4].map(n => `GET /acme/main/echo/${n} HTTP/1.1\r\nHost: h\r\n\r\n`).join(''))
    for (const n of [1, 2, 3, 4]) assert.equal((await client.answer()).body, `/${n}`)
  })

  test('HTTP/1.0 gets no chunks and a closed connection', async t => {
    const { port } = await startRouter(t, {
      front,
      handlers: {
        parts: async call => {
          call.head(200)
          await call.write('a')
          await new Promise(setImmediate)
          await call.write('b')
          call.end()
        },
      },
    })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/parts HTTP/1.0\r\n\r\n')
    const { headers, body } = await client.answer()
    assert.equal(headers['transfer-encoding'], undefined)
    assert.equal(headers['connection'], 'close')
    assert.equal(body, 'ab')
  })

  test('HTTP/1.0 with keep-alive goes on where the length is known', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    for (let i = 0; i < 2; i++) {
      client.send('GET /acme/main/hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
      const { headers, body } = await client.answer()
      assert.equal(headers['connection'], 'keep-alive')
      assert.equal(body, 'Hello, World!')
    }
  })

  test('an absolute target outranks the Host field', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send('GET http://real.example/acme/main/hello?q HTTP/1.1\r\nHost: other.example\r\n\r\n')
    assert.equal((await client.answer()).status, 200)
    assert.equal(invoker.last.header('host'), 'real.example')
    assert.equal(invoker.last.request.path, '/?q')
  })

  test('OPTIONS * is answered by the server', async t => {
    const { port, invoker } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send('OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n')
    const { status, headers } = await client.answer()
    assert.equal(status, 204)
    assert.match(headers['allow']!, /GET/)
    assert.equal(invoker.calls.length, 0)
  })

  test('an answer that HTTP cannot send is a 502', async t => {
    const bad: Record<string, readonly [number, readonly string[]]> = {
      low: [101, []],
      high: [600, []],
      name: [200, ['x y', '1']],
      value: [200, ['x', 'a\r\nset-cookie: evil=1']],
      long: [200, ['content-length', '12']],
      twice: [200, ['content-length', '2', 'content-length', '2']],
    }
    const handlers = Object.fromEntries(
      Object.entries(bad).map(([name, [status, headers]]) => [
        name,
        (call: { respond(s: number, h: readonly string[], b: string): void }) =>
          call.respond(status, headers, 'ab'),
      ]),
    )
    const { port } = await startRouter(t, { front, handlers })
    const client = await RawClient.open(t, port)
    for (const name of Object.keys(bad)) {
      client.send(`GET /acme/main/${name} HTTP/1.1\r\nHost: h\r\n\r\n`)
      const { status, body, headers } = await client.answer()
      assert.equal(status, 502, name)
      assert.match(body, /FUNCTION_BAD_ANSWER/)
      assert.equal(headers['set-cookie'], undefined)
    }
  })
}
