import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { Doors } from '../../src/server/doors.ts'

for (const { what, begin } of [
  { what: 'that has not begun', begin: () => {} },
  { what: 'whose head was sent', begin: (response: ServerResponse) => response.flushHeaders() },
])
  test(`an answer ${what} when the server leaves is the last one of its connection, though the client would keep it`, async t => {
    const asked = Promise.withResolvers<ServerResponse>()
    const server = createServer({ keepAliveTimeout: 600_000 }, (_, response) => asked.resolve(response))
    const doors = new Doors(new Map())
    const port = await doors.open({
      name: 'api',
      setting: 'port',
      port: 0,
      host: '127.0.0.1',
      open: async ({ port, host }) => {
        await once(server.listen(port, host), 'listening')
        return server
      },
    })
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      get({ port, host: '127.0.0.1', agent }, resolve).once('error', reject),
    )
    const response = await asked.promise
    begin(response)
    doors.leave()
    const closed = once(server, 'close')
    server.close()
    response.end('to the end')
    let text = ''
    for await (const piece of await answer) text += piece
    assert.equal(text, 'to the end')
    await closed
  })
