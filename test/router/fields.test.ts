import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRouter } from './fixture.ts'
import { RawClient } from './raw-client.ts'

const send = async (client: RawClient, ...lines: string[]) => {
  client.send(
    `GET /acme/main/hello HTTP/1.1\r\nHost: app.example:8080\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`,
  )
  return client.answer()
}

test('hop-by-hop fields, and those that Connection lists, stay behind, both ways', async t => {
  const { port, invoker } = await startRouter(t, {
    handlers: {
      hops: call =>
        call.respond(
          200,
          [
            'connection',
            'x-hop, close',
            'x-hop',
            '1',
            'keep-alive',
            'timeout=9',
            'transfer-encoding',
            'chunked',
            'upgrade',
            'h2c',
            'proxy-authenticate',
            'x',
            'trailer',
            't',
            'x-end',
            '2',
            'atelier-invocation-id',
            'forged',
          ],
          'ok',
        ),
    },
  })
  const client = await RawClient.open(t, port)
  await send(
    client,
    'Connection: keep-alive, X-Hop',
    'X-Hop: 1',
    'Keep-Alive: 5',
    'Proxy-Authorization: x',
    'Proxy-Connection: x',
    'TE: trailers',
    'Proxy: http://evil',
    'X-End: 2',
  )
  const names = invoker.last.headers.filter((_, i) => i % 2 === 0)
  assert.deepEqual(names, [
    'x-end',
    'host',
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-host',
    'forwarded',
  ])
  client.send('GET /acme/main/hops HTTP/1.1\r\nHost: h\r\n\r\n')
  const { headers } = await client.answer()
  for (const name of ['x-hop', 'transfer-encoding', 'upgrade', 'proxy-authenticate', 'trailer'])
    assert.equal(headers[name], undefined, name)
  assert.equal(headers['x-end'], '2')
  assert.match(headers['atelier-invocation-id']!, /^[0-9a-z]{26}$/)
})

test('forwarding fields tell the truth, whatever the client says', async t => {
  const { port, invoker } = await startRouter(t)
  const client = await RawClient.open(t, port)
  await send(
    client,
    'X-Forwarded-For: 1.2.3.4',
    'x_forwarded_for: 1.2.3.4',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil',
    'Forwarded: for=1.2.3.4',
    'X-Real-IP: 1.2.3.4',
  )
  const { last } = invoker
  assert.equal(last.header('x-forwarded-for'), '127.0.0.1')
  assert.equal(last.header('x-forwarded-proto'), 'http')
  assert.equal(last.header('x-forwarded-host'), 'app.example:8080')
  assert.equal(last.header('forwarded'), 'for=127.0.0.1;host="app.example:8080";proto=http')
  assert.equal(last.header('x-real-ip') ?? last.header('x_forwarded_for'), undefined)
})

test('a proxy that is trusted is believed and added to', async t => {
  const { port, invoker } = await startRouter(t, { trustForwarded: true })
  const client = await RawClient.open(t, port)
  await send(
    client,
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-For: 5.6.7.8',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: shop.example',
    'Forwarded: for=1.2.3.4',
  )
  const { last } = invoker
  assert.equal(last.header('x-forwarded-for'), '1.2.3.4, 5.6.7.8, 127.0.0.1')
  assert.equal(last.header('x-forwarded-proto'), 'https')
  assert.equal(last.header('x-forwarded-host'), 'shop.example')
  assert.match(last.header('forwarded')!, /^for=1\.2\.3\.4, for=127\.0\.0\.1;/)
})

test('a trace is handed to the invoker, which continues it, and is not also a header', async t => {
  const { port, invoker } = await startRouter(t)
  const client = await RawClient.open(t, port)
  const given = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await send(client, `Traceparent: ${given}`, 'Tracestate: a=1', 'Tracestate: b=2')
  assert.equal(invoker.last.request.traceparent, given)
  assert.equal(invoker.last.header('traceparent'), undefined)
  assert.equal(invoker.last.header('tracestate'), 'a=1, b=2')
  await send(client, 'Tracestate: a=1')
  assert.equal(invoker.last.request.traceparent, undefined)
  assert.equal(invoker.last.header('tracestate'), undefined)
})

test('a Host that is no host is refused, also when it is said twice', async t => {
  const { port, invoker } = await startRouter(t)
  for (const head of [
    'Host: a b',
    'Host: a/b',
    'Host: user@h',
    'Host: h:1:2',
    'Host: "h"',
    'Host: h\r\nHost: h',
  ]) {
    const client = await RawClient.open(t, port)
    client.send(`GET /acme/main/hello HTTP/1.1\r\n${head}\r\n\r\n`)
    assert.equal((await client.answer()).status, 400, head)
  }
  assert.equal(invoker.calls.length, 0)
})

test('routes of a host are found under every spelling of it', async t => {
  const { port } = await startRouter(t, {
    triggers: [{ function: 'hello', path: '/x', host: 'Shop.Example' }],
  })
  const client = await RawClient.open(t, port)
  for (const [host, status] of [
    ['shop.example', 200],
    ['SHOP.example:1882', 200],
    ['shop.example.', 200],
    ['evil.example', 404],
  ] as const) {
    client.send(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    assert.equal((await client.answer()).status, status, host)
  }
})
