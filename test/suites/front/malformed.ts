import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreateFront } from '../../../src/router/front.ts'
import { type RouterFixture, startRouter } from '../../router/fixture.ts'
import type { HandlerCall } from '../../router/handlers.ts'
import { RawClient } from '../../router/raw-client.ts'

const HELLO = 'GET /acme/main/hello HTTP/1.1\r\n'
const POST = 'POST /acme/main/read HTTP/1.1\r\nHost: h\r\n'

const read = async (call: HandlerCall) => call.respond(200, [], await call.text())

/** What it is, what is sent, the status it gets (or one of these); all end the connection and get no answer of a function. */
const REFUSED: readonly (readonly [string, string, ...number[]])[] = [
  [
    'Content-Length beside Transfer-Encoding',
    `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'Transfer-Encoding beside Content-Length',
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['two Content-Lengths', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  ['two equal Content-Lengths', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 400],
  ['a list of Content-Lengths', `${POST}Content-Length: 3, 3\r\n\r\nabc`, 400],
  ['a signed Content-Length', `${POST}Content-Length: +3\r\n\r\nabc`, 400],
  ['a hexadecimal Content-Length', `${POST}Content-Length: 0x3\r\n\r\nabc`, 400],
  ['an empty Content-Length', `${POST}Content-Length: \r\n\r\n`, 400],
  ['a Content-Length beyond all numbers', `${POST}Content-Length: 99999999999999999999999\r\n\r\n`, 400],
  [
    'chunked that is not the last coding',
    `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['a chunk size that is no number', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`, 400],
  ['a negative chunk size', `${POST}Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n`, 400],
  [
    'a chunk size beyond all numbers',
    `${POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n`,
    400,
  ],
  ['a chunk longer than its size', `${POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`, 400],
  [
    'a chunk size line that ends in a bare line feed',
    `${POST}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`,
    400,
  ],
  ['a space before the colon', `${HELLO}Host : h\r\n\r\n`, 400],
  ['a header name with a space', `${HELLO}Host: h\r\nX Y: 1\r\n\r\n`, 400],
  ['a header without a name', `${HELLO}Host: h\r\n: 1\r\n\r\n`, 400],
  ['a header line without a colon', `${HELLO}Host: h\r\nnonsense\r\n\r\n`, 400],
  ['a folded header line', `${HELLO}Host: h\r\nX: 1\r\n 2\r\n\r\n`, 400],
  ['a first header line that begins with a space', `${HELLO} Host: h\r\n\r\n`, 400],
  ['a NUL in a header value', `${HELLO}Host: h\r\nX: a\0b\r\n\r\n`, 400],
  ['a bare carriage return in a header value', `${HELLO}Host: h\r\nX: a\rb\r\n\r\n`, 400],
  ['header lines that end in bare line feeds', 'GET /acme/main/hello HTTP/1.1\nHost: h\n\n', 400, 505],
  ['a control character in the path', 'GET /acme/main/\x01hello HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['bytes above 127 in the path', 'GET /acme/main/hell\xf6 HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['a space in the target', 'GET /acme/main/hello x HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['a method that is not a token', 'G@T /acme/main/hello HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['no target', 'GET HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['no version', 'GET /acme/main/hello\r\nHost: h\r\n\r\n', 400, 505],
  ['no Host in HTTP/1.1', `${HELLO}X: 1\r\n\r\n`, 400],
  ['bytes that are no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
  ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 505],
  ['HTTP/3.0', 'GET /acme/main/hello HTTP/3.0\r\nHost: h\r\n\r\n', 505],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n', 501],
  ['an expectation other than 100-continue', `${POST}Expect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc`, 417],
]

export function malformedCases(front: CreateFront): void {
  for (const [what, bytes, ...statuses] of REFUSED) {
    test(`${what}: ${statuses.join(' or ')}, and the connection ends`, async t => {
      const fixture = await startRouter(t, { front, handlers: { read } })
      const client = await RawClient.open(t, fixture.port)
      client.send(bytes)
      const answer = await client.answer()
      assert.ok(statuses.includes(answer.status), String(answer.status))
      assert.match(answer.body, /"detail"/)
      assert.match(answer.headers['atelier-invocation-id']!, /^[0-9a-z]{26}$/)
      await client.ended()
      assert.equal(client.rest, '')
      // A chunked body may have begun to stream before its fault came.
      assert.ok(fixture.invoker.calls.every(call => call.signal.aborted))
    })
  }

  test('a target longer than its limit: 414', async t => {
    const fixture = await startRouter(t, { front, limits: { targetBytesMax: 1_000 } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`GET /acme/main/hello?${'x'.repeat(1_000)} HTTP/1.1\r\nHost: h\r\n\r\n`)
    assert.equal((await client.answer()).status, 414)
    await client.ended()
    assertNothingReached(fixture)
  })

  test('a head larger than its limit: 431', async t => {
    const fixture = await startRouter(t, { front, limits: { headBytesMax: 4_000 } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`${HELLO}Host: h\r\nX: ${'x'.repeat(5_000)}\r\n\r\n`)
    assert.equal((await client.answer()).status, 431)
    await client.ended()
    assertNothingReached(fixture)
  })

  test('a head that never ends: 431 at its limit', async t => {
    const fixture = await startRouter(t, { front, limits: { headBytesMax: 4_000 } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`${HELLO}Host: h\r\n`)
    for (let i = 0; i < 50 && !client.isEnded; i++) client.send(`X-${i}: ${'x'.repeat(100)}\r\n`)
    assert.equal((await client.answer()).status, 431)
    await client.ended()
  })

  test('more header fields than the limit: 431', async t => {
    const fixture = await startRouter(t, { front, limits: { headersMax: 10 } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`${HELLO}Host: h\r\n${Array.from({ length: 10 }, (_, i) => `X${i}: 1\r\n`).join('')}\r\n`)
    assert.equal((await client.answer()).status, 431)
    assertNothingReached(fixture)
  })

  test('a head that does not arrive in time: 408', async t => {
    const fixture = await startRouter(t, { front, limits: { headTimeoutMs: 100 } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`${HELLO}Host: h\r\n`)
    assert.equal((await client.answer()).status, 408)
    await client.ended()
  })

  test('a body that stands still: 408, and the function is never called', async t => {
    const fixture = await startRouter(t, { front, limits: { bodyStallMs: 100 }, handlers: { read } })
    const client = await RawClient.open(t, fixture.port)
    client.send(`${POST}Content-Length: 10\r\n\r\nabc`)
    assert.equal((await client.answer()).status, 408)
    await client.ended()
    assertNothingReached(fixture)
  })

  test('a malformed chunk in the middle of a body cancels the call', async t => {
    const fixture = await startRouter(t, { front, handlers: { slow: call => call.text() } })
    const client = await RawClient.open(t, fixture.port)
    client.send('POST /acme/main/slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    while (fixture.invoker.calls.length === 0) await new Promise(setImmediate)
    client.send('xyz\r\n')
    assert.equal((await client.answer()).status, 400)
    await client.ended()
    assert.equal(fixture.invoker.last.signal.aborted, true)
  })

  test('a request hidden behind a refused one is never served', async t => {
    const fixture = await startRouter(t, { front })
    const client = await RawClient.open(t, fixture.port)
    client.send(
      `${POST}Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HELLO}Host: h\r\n\r\n`,
    )
    assert.equal((await client.answer()).status, 400)
    await client.ended()
    assert.equal(client.rest, '')
    assertNothingReached(fixture)
  })
}

function assertNothingReached(fixture: RouterFixture): void {
  assert.equal(fixture.invoker.calls.length, 0)
}
