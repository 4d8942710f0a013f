import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame, T, WINDOW } from '../suites/frames/driver.ts'
import { connected, recorder, result } from './peer.ts'

const get = { id: 'i', method: 'GET', target: '/', headers: [], deadline: 1, body: null } as const
const upgrade = { ...get, body: undefined, webSocket: true } as const

test('single bytes for a reader that is behind become larger pieces, in order and complete', async () => {
  const { link, peer } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(get, sink)
  peer.send(T.RESULT, handle.number, result('200'))
  const text = Array.from({ length: 20_000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')
  for (const character of text) peer.send(T.DATA, handle.number, character)
  await peer.settle(link)
  const pieces = () => sink.said.filter(([what]) => what === 'data').map(([, piece]) => String(piece))
  const early = pieces().length
  assert.ok(early < 5_000, `${early} pieces wait for the reader`)
  assert.equal(text.startsWith(pieces().join('')), true)
  // It reads what it has: the rest comes, also without an end.
  handle.consumed(pieces().join('').length)
  assert.equal(pieces().join(''), text)
  peer.send(T.DATA, handle.number, 'end', 1)
  await sink.over
  assert.equal(pieces().join(''), `${text}end`)
})

test('a reader that keeps up gets each piece as it comes', async () => {
  const { link, peer } = connected()
  peer.hello()
  let pieces = 0
  const onData = (piece: Uint8Array): void => {
    pieces++
    handle.consumed(piece.length)
  }
  const handle = link.invoke(get, { ...recorder(), onData })
  peer.send(T.RESULT, handle.number, result('200'))
  for (let i = 0; i < 10_000; i++) peer.send(T.DATA, handle.number, 'x')
  await peer.settle(link)
  assert.equal(pieces, 10_000)
})

test('empty WebSocket messages take the window too, from either side', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(upgrade, sink)
  peer.send(T.RESULT, handle.number, result('101'))
  await peer.settle(link)
  let sent = 0
  while (handle.writeMessage(Buffer.alloc(0), true)) assert.ok(++sent <= WINDOW / 64)
  await peer.settle(link)
  assert.equal(peer.frames.filter(each => each.type === T.MESSAGE).length, sent + 1)
  peer.channel.write(Buffer.concat(Array(WINDOW / 64 + 1).fill(frame(T.MESSAGE, handle.number, ''))))
  await sink.over
  assert.equal(events.closed?.kind, 'violation')
})

test('what the reader passes on gives back what a message costs', async () => {
  const { link, peer, events } = connected()
  peer.hello()
  const sink = recorder()
  const handle = link.invoke(upgrade, { ...sink, onMessage: data => handle.consumed(data.length) })
  peer.send(T.RESULT, handle.number, result('101'))
  const some = Buffer.concat(Array(1_000).fill(frame(T.MESSAGE, handle.number, '')))
  let given = WINDOW
  for (let i = 0; i < 20; i++) {
    peer.channel.write(some)
    given -= 64_000
    if (given < 64_000) given += (await peer.next(T.WINDOW)).payload.readUInt32BE(0)
  }
  await peer.settle(link)
  assert.equal(events.closed, undefined)
})

for (const [what, type, payload] of [
  ['logs', T.LOG, Buffer.alloc(50_000, 1)],
  ['frames of no known type', 77, Buffer.alloc(0)],
] as const)
  test(`${what} without end are read slowly, and what comes after them is not lost`, async () => {
    const { link, peer, events, clock } = connected()
    peer.hello()
    const count = Math.ceil((4 * 1024 * 1024) / (payload.length + 64))
    for (let i = 0; i < count; i++) peer.send(type, 0, payload)
    const sink = recorder()
    const handle = link.invoke(get, sink)
    peer.send(T.RESULT, handle.number, result('200', 'late'), 1)
    await peer.quiet()
    assert.deepEqual(sink.said, [])
    assert.ok(events.logs.length < count)
    for (let step = 0; step < 200 && sink.said.length === 0; step++) {
      clock.advance(50)
      await peer.quiet()
    }
    assert.equal(sink.said.map(each => each[0]).join(), 'head,data,end')
    assert.equal(events.logs.length, type === T.LOG ? count : 0)
  })
