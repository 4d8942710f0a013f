import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Running } from './bench.ts'

type WithRunning = (work: (running: Running) => Promise<void>) => Promise<void>

/**
 * What a contract that has WebSockets does with them, by a server that uses the package `ws`. `withOwn`: for a test that ends it.
 */
export function webSocketTests(
  has: boolean,
  { withGood, withOwn }: { readonly withGood: WithRunning; readonly withOwn: WithRunning },
): void {
  const skip = !has && 'the contract has no WebSockets'

  test('a WebSocket carries text and bytes both ways, with the path and the id of its call', { skip }, () =>
    withGood(async running => {
      const socket = running.webSocket('open')
      await socket.opened()
      assert.equal(socket.status, 101)
      assert.equal(await socket.answerTo('wörds'), 'wörds')
      assert.equal(await socket.answerTo('who'), JSON.stringify(['/a/../path?q=1', socket.id]))
      const bytes = Buffer.from([0, 255, 128])
      socket.handle.writeMessage(bytes, false)
      await socket.until(() => socket.messages.length === 3)
      assert.deepEqual(socket.messages[2], { data: bytes, text: false })
      socket.handle.end(Uint8Array.of(0x03, 0xe9, ...Buffer.from('bye')))
      assert.equal((await socket.answer).failure, undefined)
      await running.stderrSays(/closed with 1001 bye/)
    }),
  )

  test('the server closes a WebSocket with its own code and reason', { skip }, () =>
    withGood(async running => {
      const socket = running.webSocket('open')
      await socket.opened()
      socket.say('close')
      assert.equal((await socket.answer).failure, undefined)
      assert.equal(Buffer.from(socket.close!).readUInt16BE(0), 4001)
      assert.equal(Buffer.from(socket.close!).toString('utf8', 2), 'enough')
    }),
  )

  test('the server chooses among the sub-protocols that are offered', { skip }, () =>
    withGood(async running => {
      const socket = running.webSocket('open', { protocols: 'chat, superchat' })
      await socket.opened()
      assert.deepEqual(socket.headers, ['sec-websocket-protocol', 'chat'])
      socket.handle.cancel('client')
      await running.stderrSays(/closed with 1006/)
    }),
  )

  test('a server that refuses a WebSocket answers as to any request', { skip }, () =>
    withGood(async running => {
      const { status, headers, body, failure } = await running.webSocket('refuse').answer
      assert.deepEqual([status, body.toString(), failure], [403, 'not me', undefined])
      assert.ok(headers.includes('x-why'))
      assert.equal((await running.call('echo', { body: Buffer.from('x') })).failure, undefined)
    }),
  )

  test('an acceptance that is none, and frames that are none, are violations; a connection that drops is an error', {
    skip,
  }, async () => {
    await withGood(async running => {
      assert.equal((await running.webSocket('nonsense').answer).failure?.kind, 'violation')
    })
    for (const [word, kind] of [
      ['garbage', 'violation'],
      ['drop', 'error'],
    ] as const)
      await withGood(async running => {
        const socket = running.webSocket('open')
        await socket.opened()
        socket.say(word)
        assert.equal((await socket.answer).failure?.kind, kind)
      })
  })

  test('a WebSocket whose receiver does not pass on what it gets is not given more and more', { skip }, () =>
    withGood(async running => {
      const socket = running.webSocket('open', { passesOn: false })
      await socket.opened()
      const bytes = () => socket.messages.reduce((sum, { data }) => sum + data.length, 0)
      socket.say('flood')
      await socket.until(() => bytes() >= 1 << 18)
      await running.call('echo', { body: Buffer.from('meanwhile') })
      const before = bytes()
      assert.ok(before < 1 << 20, `${before} bytes came`)
      socket.handle.consumed(before)
      await socket.until(() => bytes() > before)
    }),
  )

  test('a process that ends takes its WebSockets with it', { skip }, () =>
    withOwn(async running => {
      const socket = running.webSocket('open')
      await socket.opened()
      await running.sandbox.kill()
      assert.equal((await socket.answer).failure?.kind, 'closed')
    }),
  )
}
