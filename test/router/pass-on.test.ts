import assert from 'node:assert/strict'
import { createServer, type ServerOptions } from 'node:http'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/core/index.ts'
import { createThinFront, ROUTER_LIMITS_DEFAULT, type ThinExchange } from '../../src/router/index.ts'
import { RawClient } from './raw-client.ts'

/** A front that answers what is below `/ours` and leaves the rest to a server of Node's. */
async function open(t: TestContext, options: ServerOptions = {}): Promise<() => Promise<RawClient>> {
  const http = createServer(options, (request, response) => {
    let text = ''
    request.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    request.on('end', () =>
      response.end(`${request.method} ${request.url} ${String(request.headers['x-said'])} ${text}`),
    )
  })
  http.emit('listening')
  const front = createThinFront({
    limits: ROUTER_LIMITS_DEFAULT,
    clock: systemClock,
    handler: {
      onExchange: exchange => {
        if (!exchange.target.startsWith('/ours')) return (exchange as ThinExchange).passOn(http)
        exchange.answer(200, [], 4, Buffer.from('ours'))
      },
      onUpgrade: ({ socket }) => void socket.destroy(),
      onRefused: () => {},
    },
  })
  const { port } = await front.listen(0, '127.0.0.1')
  t.after(async () => {
    http.closeAllConnections()
    http.close()
    await front.close()
  })
  return () => RawClient.open(t, port)
}

const OURS = 'GET /ours HTTP/1.1\r\nHost: h\r\n\r\n'
const GET = 'GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Said: \t  it  \r\n\r\n'

test('a request that is passed on is heard from its beginning, and so are those after it', async t => {
  const client = await (await open(t))()
  client.send(OURS)
  assert.equal((await client.answer()).body, 'ours')
  client.send(GET)
  assert.equal((await client.answer()).body, 'GET /a?b=c it ')
  client.send('POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo')
  client.send('dy')
  assert.equal((await client.answer()).body, 'POST /d undefined body')
  client.send(OURS)
  assert.equal((await client.answer()).body, 'GET /ours undefined ')
})

for (const [what, request, body] of [
  ['in one piece', 'Content-Length: 4\r\n\r\nbody', 'body'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n3\r\nand\r\n0\r\n\r\n', 'bodyand'],
] as const)
  test(`a body ${what}, cut anywhere, arrives whole, beside another connection’s`, async t => {
    const whole = `PUT /x HTTP/1.1\r\nHost: h\r\nX-Said: it\r\n${request}`
    const connect = await open(t)
    const other = await connect()
    for (let at = 1; at < whole.length; at += 3) {
      const client = await connect()
      client.send(whole.slice(0, at))
      other.send(GET.replace('it', `other ${at}`))
      assert.equal((await other.answer()).body, `GET /a?b=c other ${at} `)
      client.send(whole.slice(at) + GET)
      assert.equal((await client.answer()).body, `PUT /x it ${body}`)
      assert.equal((await client.answer()).body, 'GET /a?b=c it ')
    }
  })

test('requests that a client sends at once, for both, are answered in their order', async t => {
  const client = await (await open(t))()
  client.send(OURS + OURS + GET + OURS)
  const answers = []
  for (let i = 0; i < 4; i++) answers.push((await client.answer()).body)
  assert.deepEqual(answers, ['ours', 'ours', 'GET /a?b=c it ', 'GET /ours undefined '])
})

test('who waits for 100 Continue, and who speaks HTTP/1.0, is answered as by Node', async t => {
  const connect = await open(t)
  const [client, old] = [await connect(), await connect()]
  client.send('POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
  assert.equal((await client.answer()).status, 100)
  client.send('ok')
  assert.equal((await client.answer()).body, 'POST /e undefined ok')
  old.send('GET /old HTTP/1.0\r\n\r\n')
  assert.equal((await old.answer()).headers['connection'], 'close')
  await old.ended()
})

test('Node’s own patience counts for connections that were passed on', async t => {
  const client = await (
    await open(t, {
      headersTimeout: 300,
      requestTimeout: 300,
      connectionsCheckingInterval: 50,
    })
  )()
  client.send(GET)
  await client.answer()
  client.send('GET /never-ends HTTP/1.1\r\nHost: h\r\n')
  assert.equal((await client.answer()).status, 408)
  await client.ended()
})
