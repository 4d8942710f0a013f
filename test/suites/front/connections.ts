import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { CreateFront } from '../../../src/router/front.ts'
import { startRouter } from '../../router/fixture.ts'
import { RawClient, until } from '../../router/raw-client.ts'

const GET = 'GET /acme/main/hello HTTP/1.1\r\nHost: h\r\n\r\n'

export function connectionCases(front: CreateFront): void {
  test('a connection is kept for many requests', async t => {
    const { port, router } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    for (let i = 0; i < 50; i++) {
      client.send(GET)
      assert.equal((await client.answer()).body, 'Hello, World!')
    }
    assert.equal(router.counters.connectionsOpen, 1)
    assert.equal(router.counters.requests, 50)
    assert.equal(router.counters.requestsActive, 0)
  })

  test('Connection: close is honoured', async t => {
    const { port } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    assert.equal((await client.answer()).headers['connection'], 'close')
    await client.ended()
  })

  test('a connection without requests is closed after its time', async t => {
    const { port, router } = await startRouter(t, { front, limits: { keepAliveMs: 50 } })
    const client = await RawClient.open(t, port)
    client.send(GET)
    await client.answer()
    await client.ended()
    await until(() => router.counters.connectionsOpen === 0)
  })

  test('connections beyond the limit are closed, those within it go on', async t => {
    const { port } = await startRouter(t, { front, limits: { connectionsMax: 2 } })
    const clients = [await RawClient.open(t, port), await RawClient.open(t, port)]
    const third = await RawClient.open(t, port)
    await third.ended()
    for (const client of clients) {
      client.send(GET)
      assert.equal((await client.answer()).status, 200)
    }
  })

  test('a drain lets running calls finish and tells their connections to close', async t => {
    const { port, router, invoker } = await startRouter(t, { front, handlers: { wait: () => {} } })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/wait HTTP/1.1\r\nHost: h\r\n\r\n')
    await until(() => invoker.calls.length > 0)
    const drained = router.drain(10_000)
    await assertRefused(port)
    invoker.last.respond(200, [], 'done')
    const { headers, body } = await client.answer()
    assert.equal(headers['connection'], 'close')
    assert.equal(body, 'done')
    await drained
    assert.equal(router.counters.connectionsOpen, 0)
  })

  test('a request that comes over a kept connection during a drain is still served', async t => {
    const { port, router } = await startRouter(t, { front })
    const client = await RawClient.open(t, port)
    client.send(GET)
    await client.answer()
    const drained = router.drain(10_000)
    client.send(GET)
    const { headers, body } = await client.answer()
    assert.equal(body, 'Hello, World!')
    assert.equal(headers['connection'], 'close')
    await client.ended()
    await drained
  })

  test('a drain ends what does not finish within the grace', async t => {
    const { port, router, invoker } = await startRouter(t, { front, handlers: { wait: () => {} } })
    const client = await RawClient.open(t, port)
    client.send('GET /acme/main/wait HTTP/1.1\r\nHost: h\r\n\r\n')
    await until(() => invoker.calls.length > 0)
    await router.drain(50)
    await client.ended()
    await until(() => invoker.last.signal.aborted)
  })

  test('a port that is taken is an error of listen', async t => {
    const { port } = await startRouter(t, { front })
    const { router } = await startRouter(t, { front })
    await assert.rejects(router.listen(port, '127.0.0.1'))
  })
}

async function assertRefused(port: number): Promise<void> {
  const code = await new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => socket.destroy()).once('connect', () => resolve('connected'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  assert.equal(code, 'ECONNREFUSED')
}
