import assert from 'node:assert/strict'
import { test } from 'node:test'
import { T, WINDOW } from '../suites/frames/driver.ts'
import { connected, loadSpec, recorder, result, text } from './peer.ts'

test('ready and load follow HELLO and LOADED', async () => {
  const { link, peer } = connected()
  peer.send(T.HELLO, 0, '{"protocol":1,"shim":"test"}')
  await link.ready
  const loading = link.load(loadSpec)
  const load = await peer.next(T.LOAD)
  assert.equal((JSON.parse(String(load.payload)) as { directory: string }).directory, '/function')
  peer.send(T.LOADED, 0, '{"initUs":1500}')
  assert.deepEqual(await loading, { initMs: 1.5 })
})

test('a failed load carries the message of the code, and its stack goes to the log', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const loading = link.load(loadSpec)
  peer.send(T.LOAD_FAILED, 0, '{"message":"no such module","stack":"at line 3"}')
  await assert.rejects(loading, {
    code: 'FUNCTION_LOAD_FAILED',
    message: 'no such module',
    cause: 'at line 3',
  })
  assert.deepEqual(events.logs, [[0, 'stderr', 'at line 3\n']])
})

test('ready and load reject when the stream ends before', async () => {
  const { link, peer, events } = connected()
  const loading = link.load(loadSpec)
  peer.channel.destroy()
  await assert.rejects(link.ready, { code: 'BACKEND_FAILED' })
  await assert.rejects(loading, { code: 'FUNCTION_LOAD_FAILED' })
  assert.equal(events.closed?.kind, 'closed')
})

test('a call and its answer are one frame each way', async () => {
  const { link, peer } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(
    {
      id: 'i1',
      method: 'POST',
      target: '/x?y',
      headers: ['host', 'h'],
      deadline: 99,
      body: Buffer.from('in'),
    },
    sink,
  )
  const call = await peer.next(T.CALL)
  assert.equal(call.end, true)
  const size = call.payload.readUInt32BE(0)
  assert.equal(call.payload.toString('utf8', 4, 4 + size), 'POST /x?y\ni1\n99\nhost: h')
  assert.equal(call.payload.toString('utf8', 4 + size), 'in')
  peer.send(T.RESULT, handle.number, result('200\ncontent-type: text/plain', 'out'), 1)
  await sink.over
  assert.deepEqual(sink.said, [
    ['head', 200, ['content-type', 'text/plain', 'content-length', '3']],
    ['data', 'out'],
    ['end', undefined],
  ])
})

test('a large body keeps to the window and goes on when it is given back', async () => {
  const { link, peer } = connected()
  peer.hello()
  const body = Buffer.alloc(1_000_000, 5)
  link.invoke({ id: 'i', method: 'POST', target: '/', headers: [], deadline: 1, body }, recorder())
  const call = await peer.next(T.CALL)
  let received = call.payload.length - 4 - call.payload.readUInt32BE(0)
  let credit = WINDOW - received
  let end = call.end
  while (!end) {
    const data = await peer.next(T.DATA)
    received += data.payload.length
    credit -= data.payload.length
    end = data.end
    assert.ok(credit >= 0, 'more than the window')
    assert.ok(data.payload.length <= 65_536)
    if (credit < 65_536 && !end) {
      await peer.quiet()
      peer.window(call.call, WINDOW - credit)
      credit = WINDOW
    }
  }
  assert.equal(received, body.length)
})

test('write says when to wait, and onDrain when to go on', async () => {
  const { link, peer } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(
    { id: 'i', method: 'POST', target: '/', headers: [], deadline: 1, body: undefined },
    sink,
  )
  assert.equal(handle.write(Buffer.alloc(200_000)), true)
  assert.equal(handle.write(Buffer.alloc(200_000)), false)
  peer.window(handle.number, 100_000)
  await peer.settle(link)
  assert.ok(!sink.said.some(([what]) => what === 'drain'), 'still nothing left of the window')
  peer.window(handle.number, WINDOW - 62_144)
  await peer.settle(link)
  assert.ok(sink.said.some(([what]) => what === 'drain'))
  handle.end()
  assert.equal((await peer.next(T.DATA, frame => frame.end)).payload.length, 0)
})

test('the window is given back as the receiver consumes, and not before', async () => {
  const { link, peer } = connected()
  peer.hello()
  const handle = link.invoke(get, recorder())
  peer.send(T.RESULT, handle.number, result('200', Buffer.alloc(WINDOW)))
  await peer.settle(link)
  assert.equal(peer.frames.filter(frame => frame.type === T.WINDOW).length, 0)
  handle.consumed(WINDOW)
  const given = await peer.next(T.WINDOW)
  assert.equal(given.payload.readUInt32BE(0), WINDOW)
})

test('FAIL gives the message to the caller and the stack to the log', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(get, sink)
  peer.send(T.FAIL, handle.number, '{"message":"boom","stack":"at x"}')
  await sink.over
  assert.deepEqual(sink.said, [['fail', 'error', 'boom']])
  assert.deepEqual(events.logs, [[handle.number, 'stderr', 'at x\n']])
})

test('a FAIL that cannot be read still ends the call', async () => {
  const { link, peer } = connected()
  peer.hello()
  for (const payload of ['', 'no json', '[]', '{"message":7}']) {
    const sink = recorder()
    const handle = link.invoke(get, sink)
    peer.send(T.FAIL, handle.number, payload)
    await sink.over
    assert.deepEqual(sink.said, [['fail', 'error', 'The function failed without a message.']])
  }
})

test('a cancelled call says nothing until the code has ended', async () => {
  const { link, peer } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(get, sink)
  handle.cancel('client')
  assert.equal(text(await peer.next(T.CANCEL)), 'client')
  peer.send(T.RESULT, handle.number, result('200', 'late'))
  await peer.settle(link)
  assert.equal(sink.said.length, 0)
  peer.send(T.FAIL, handle.number, '')
  await sink.over
  assert.deepEqual(
    sink.said.map(([what]) => what),
    ['fail'],
  )
})

test('frames of a call that is over are ignored', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(get, sink)
  peer.send(T.RESULT, handle.number, result('204'), 1)
  await sink.over
  peer.send(T.DATA, handle.number, 'x')
  peer.send(T.RESULT, handle.number, result('200'), 1)
  await peer.settle(link)
  assert.equal(events.closed, undefined)
})

test('what follows HEAD, 204 and 304 is dropped, and a declared length is kept for HEAD and 304', async () => {
  const { link, peer } = connected()
  peer.hello()
  for (const [method, head, headers] of [
    ['HEAD', '200\ncontent-length: 9', ['content-length', '9']],
    ['HEAD', '200', ['content-length', '4']],
    ['GET', '304\ncontent-length: 9', ['content-length', '9']],
    ['GET', '204\ncontent-length: 9', []],
  ] as const) {
    const sink = recorder()
    const handle = link.invoke({ ...get, method }, sink)
    peer.send(T.RESULT, handle.number, result(head, 'body'), 1)
    await sink.over
    assert.deepEqual(sink.said, [
      ['head', Number(head.slice(0, 3)), headers],
      ['end', undefined],
    ])
  }
})

test('a WebSocket carries messages both ways and ends with its close frame', async () => {
  const { link, peer } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke({ ...get, body: undefined, webSocket: true }, sink)
  const call = await peer.next(T.CALL)
  assert.match(text(call), /\nupgrade: websocket$/)
  peer.send(T.RESULT, handle.number, result('101'))
  peer.send(T.MESSAGE, handle.number, 'hello', 2)
  handle.writeMessage(Buffer.from('there'), true)
  const message = await peer.next(T.MESSAGE)
  assert.deepEqual([text(message), message.text], ['there', true])
  peer.send(T.DATA, handle.number, Buffer.from([3, 232]), 1)
  await sink.over
  assert.deepEqual(sink.said, [
    ['head', 101, []],
    ['message', 'hello', true],
    ['end', '\u0003\ufffd'],
  ])
})

test('ping tells an instance that answers from one that does not', async () => {
  const { link, peer, clock } = connected()
  peer.hello()
  const alive = link.ping(1000)
  peer.send(T.PONG, 0, (await peer.next(T.PING)).payload)
  assert.equal(await alive, true)
  const hung = link.ping(1000)
  clock.advance(1000)
  assert.equal(await hung, false)
})

test('when the instance goes, every call fails, and calls made later fail too', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const [first, second] = [recorder(), recorder()]
  link.invoke(get, first)
  link.invoke(get, second)
  peer.channel.destroy()
  await Promise.all([first.over, second.over])
  assert.equal(events.closed?.kind, 'closed')
  const late = recorder()
  link.invoke(get, late)
  assert.equal(late.said.length, 0, 'not before the handle is there')
  await late.over
  assert.equal(late.said[0]?.[1], 'closed')
})

const get = { id: 'i', method: 'GET', target: '/', headers: [], deadline: 1, body: null } as const
