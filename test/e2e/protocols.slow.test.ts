import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { after, before, test } from 'node:test'
import { ServerProcess } from '../support/server-process.ts'

/**
 * What a client sees of HTTP through the whole server: router, invoker, pool, sandbox, shim. Each language answers the
 * same questions. Nothing here waits for a time: a function that kept back what it should pass on would stand still.
 */
const LANGUAGES: readonly { readonly name: string; readonly files: Readonly<Record<string, string>> }[] = [
  {
    name: 'nodejs',
    files: {
      'index.mjs': `
export default async (request, context) => {
  const { pathname } = new URL(request.url)
  if (pathname === '/socket') {
    const { socket, response } = context.upgradeWebSocket()
    socket.addEventListener('message', ({ data }) => socket.send(data))
    return response
  }
  if (pathname === '/echo') return new Response(request.body, { headers: { 'content-type': 'text/plain' } })
  if (pathname === '/events') {
    let n = 0
    const events = new ReadableStream({
      async pull(controller) {
        if (n++ === 3) return controller.close()
        controller.enqueue(new TextEncoder().encode('data: ' + n + '\\n\\n'))
        if (n < 3) await new Promise(resolve => setTimeout(resolve, 150))
      },
    })
    return new Response(events, { headers: { 'content-type': 'text/event-stream' } })
  }
  return { deadline: context.remainingMs() > 0, id: context.invocationId, forwarded: request.headers.get('x-forwarded-for') }
}`,
    },
  },
  {
    name: 'python',
    files: {
      'main.py': `
import time

def events():
    for n in (1, 2, 3):
        yield f"data: {n}\\n\\n"
        if n < 3:
            time.sleep(0.15)

def handler(request, context):
    if request.path == "/socket":
        socket = context.upgrade_websocket()
        for message in socket:
            socket.send(message)
        return
    if request.path == "/echo":
        return request.stream(), 200, {"content-type": "text/plain"}
    if request.path == "/events":
        return events(), 200, {"content-type": "text/event-stream"}
    return {"deadline": context.remaining_ms() > 0, "id": context.invocation_id, "forwarded": request.headers.get("x-forwarded-for")}
`,
    },
  },
]

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
  for (const { name, files } of LANGUAGES) await server.deploy(name, files)
})
after(() => server?.dispose())

for (const { name } of LANGUAGES) {
  test(`${name}: a body streams both ways: each piece comes back before the next is sent`, async () => {
    const outgoing = open(name, '/echo', { method: 'POST', headers: { 'content-type': 'text/plain' } })
    outgoing.write('piece 0;')
    const answer = await answerTo(outgoing)
    assert.equal(answer.statusCode, 200)
    assert.equal(answer.headers['content-type'], 'text/plain')
    const pieces = answer.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>
    for (let n = 0; n < 5; n++) {
      assert.equal((await pieces.next()).value, `piece ${n};`)
      if (n < 4) outgoing.write(`piece ${n + 1};`)
    }
    outgoing.end()
    assert.equal((await pieces.next()).done, true)
  })

  test(`${name}: server-sent events arrive one by one`, async () => {
    const answer = await answerTo(open(name, '/events').end())
    assert.equal(answer.headers['content-type'], 'text/event-stream')
    const pieces: string[] = []
    for await (const piece of answer.setEncoding('utf8')) pieces.push(piece)
    assert.deepEqual(pieces, ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n'])
  })

  test(`${name}: a WebSocket echoes text and bytes`, async () => {
    const socket = new WebSocket(`${server.routerUrl.replace('http', 'ws')}/default/default/${name}/socket`)
    socket.binaryType = 'arraybuffer'
    await once(socket, 'open')
    const said = async (message: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
      socket.send(message)
      return ((await once(socket, 'message')) as [MessageEvent])[0].data
    }
    assert.equal(await said('a text ✓'), 'a text ✓')
    assert.deepEqual(
      new Uint8Array((await said(new Uint8Array([0, 255, 7]))) as ArrayBuffer),
      new Uint8Array([0, 255, 7]),
    )
    socket.close(1000)
    assert.equal(((await once(socket, 'close')) as [CloseEvent])[0].code, 1000)
  })

  test(`${name}: the code sees the id that the answer carries, its deadline, and who asked`, async () => {
    const { headers, json } = await server.call(name, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    assert.deepEqual(json, {
      deadline: true,
      id: headers.get('atelier-invocation-id'),
      forwarded: '127.0.0.1',
    })
  })
}

test('one connection carries many calls', async () => {
  const { Agent } = await import('node:http')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ports = new Set<number | undefined>()
  for (let n = 0; n < 5; n++) {
    const answer = await answerTo(open('nodejs', '/', { agent }).end())
    ports.add(answer.socket.localPort)
    answer.resume()
    await once(answer, 'end')
  }
  agent.destroy()
  assert.equal(ports.size, 1)
})

function open(name: string, path: string, options: object = {}): ClientRequest {
  return request(`${server.routerUrl}/default/default/${name}${path}`, options)
}

async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return ((await once(outgoing, 'response')) as [IncomingMessage])[0]
}
