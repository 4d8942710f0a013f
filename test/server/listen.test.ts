import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import fastify from 'fastify'
import { listen, listening } from '../../src/server/listen.ts'

test('an API closes connections beyond its limit on arrival, and serves those within', async t => {
  const api = fastify({ forceCloseConnections: true })
  t.after(() => api.close())
  api.get('/', async () => 'served')
  const listener = await listening(api, { port: 0, host: '127.0.0.1' }, 2)
  const { port } = listener.address() as AddressInfo
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const within = [await open(), await open()]
  const [first] = within
  first!.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n')
  assert.match(String((await once(first!, 'data'))[0]), /^HTTP\/1.1 200 /)
  const beyond = await open()
  beyond.resume()
  await once(beyond, 'close')
  first!.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n')
  assert.match(String((await once(first!, 'data'))[0]), /^HTTP\/1.1 200 /)
})

test('an address that this machine has not is told by the setting that names it, and not by its port', async () => {
  const at = { port: 0, host: '192.0.2.1' } // of a network that is for documentation alone
  const open = async () => {
    const server = createServer()
    await once(server.listen(at), 'listening')
    return server
  }
  await assert.rejects(listen('router-port', at, open), {
    code: 'UNAVAILABLE',
    message: 'This machine has no address "192.0.2.1". Choose another with --host.',
  })
})
