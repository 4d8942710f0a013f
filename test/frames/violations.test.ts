import assert from 'node:assert/strict'
import { test } from 'node:test'
import { T, WINDOW } from '../suites/frames/driver.ts'
import { connected, recorder, result } from './peer.ts'

const get = { id: 'i', method: 'GET', target: '/', headers: [], deadline: 1, body: null } as const

for (const [name, frames] of [
  ['more bytes than the window', [[T.RESULT, result('200', Buffer.alloc(WINDOW + 1)), 0]]],
  [
    'a piece above 64 KiB',
    [
      [T.RESULT, result('200'), 0],
      [T.DATA, Buffer.alloc(70_000), 0],
    ],
  ],
  [
    'two heads',
    [
      [T.RESULT, result('200'), 0],
      [T.RESULT, result('200'), 0],
    ],
  ],
  ['a body before its head', [[T.DATA, 'x', 0]]],
  ['a head longer than its frame', [[T.RESULT, Buffer.from([0, 0, 1, 0, 50]), 1]]],
  ['a head without its length', [[T.RESULT, '', 1]]],
  ['more than its content-length', [[T.RESULT, result('200\ncontent-length: 1', 'xy'), 1]]],
  ['less than its content-length', [[T.RESULT, result('200\ncontent-length: 3', 'xy'), 1]]],
  ['a WebSocket nobody asked for', [[T.RESULT, result('101'), 0]]],
  [
    'a message outside a WebSocket',
    [
      [T.RESULT, result('200'), 0],
      [T.MESSAGE, 'x', 0],
    ],
  ],
  ['a window beyond the limit', [[T.WINDOW, Buffer.from([255, 255, 255, 255]), 0]]],
  ['a malformed window', [[T.WINDOW, 'x', 0]]],
  ['output of no stream', [[T.LOG, '\u0009x', 0]]],
] as const) {
  test(`${name} breaks the contract: the call fails and the link ends`, async () => {
    const { link, peer, events } = connected()
    peer.hello()
    const [sink, other] = [recorder(), recorder()]
    const handle = link.invoke(get, sink)
    link.invoke(get, other)
    for (const [type, payload, flags] of frames) peer.send(type, handle.number, payload, flags)
    await Promise.all([sink.over, other.over])
    assert.equal(events.closed?.kind, 'violation')
    assert.equal(sink.said.at(-1)?.[0], 'fail')
    assert.deepEqual(
      other.said.map(([what]) => what),
      ['fail'],
    )
    await peer.gone
  })
}

test('junk instead of frames ends the link, before and after HELLO', async () => {
  for (const hello of [false, true]) {
    const { link, peer, events } = connected()
    if (hello) peer.hello()
    peer.channel.write('HTTP/1.1 200 OK\r\n\r\n')
    await peer.gone
    assert.equal(events.closed?.kind, 'violation')
    if (!hello) await assert.rejects(link.ready, { code: 'BACKEND_FAILED' })
  }
})
