import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { ShimUnderTest } from '../frames.ts'
import { T, WINDOW } from './driver.ts'
import { loaded } from './start.ts'

const PIECE = 64 * 1024

export function bodyTests(shim: ShimUnderTest): void {
  test('gives a body back as it came, whatever its bytes', async t => {
    const driver = await loaded(t, shim)
    for (const size of [0, 1, 1000, PIECE, 200_000]) {
      const body = randomBytes(size)
      const number = driver.call('POST /echo-whole', { body, headers: ['content-type: application/x'] })
      assert.ok((await driver.answer(number)).body.equals(body), `${size} bytes`)
    }
  })

  test('reads a request in pieces and gives its window back', async t => {
    const driver = await loaded(t, shim)
    const body = randomBytes(1_500_000)
    const number = driver.call('POST /echo-whole', { open: true })
    let credit = WINDOW
    for (let at = 0; at < body.length; at += PIECE) {
      const piece = body.subarray(at, at + PIECE)
      while (credit < piece.length) {
        const given = await driver.next(each => each.call === number && each.type === T.WINDOW, 'WINDOW')
        credit += given.payload.readUInt32BE(0)
      }
      credit -= piece.length
      driver.send(T.DATA, number, piece)
    }
    driver.send(T.DATA, number, '', 1)
    assert.ok((await driver.answer(number)).body.equals(body))
  })

  test('does not give the window back for what the code has not read', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('POST /slow?ms=300', { open: true })
    for (let sent = 0; sent < WINDOW; sent += PIECE) driver.send(T.DATA, number, Buffer.alloc(PIECE))
    assert.equal(String((await driver.answer(number)).body), 'slow')
    assert.equal(driver.taken(each => each.call === number && each.type === T.WINDOW).length, 0)
  })

  test('streams an answer while the request still comes', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('POST /echo', { open: true })
    for (const word of ['one', 'two', 'three']) {
      driver.send(T.DATA, number, word)
      const data = await driver.next(
        each => each.call === number && each.type === T.DATA && each.payload.length > 0,
        `the echo of ${word}`,
      )
      assert.equal(String(data.payload), word)
      assert.equal(data.end, false)
    }
    driver.send(T.DATA, number, '', 1)
    const { fail } = await driver.answer(number)
    assert.equal(fail, undefined)
  })

  test('sends a large answer in pieces of at most 64 KiB after the first frame', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /big?bytes=3000000')
    let received = 0
    for (;;) {
      const each = await driver.next(one => one.call === number && one.type !== T.LOG, 'a piece')
      const bytes =
        each.type === T.RESULT ? each.payload.length - 4 - each.payload.readUInt32BE(0) : each.payload.length
      if (each.type === T.DATA) assert.ok(bytes <= PIECE, `${bytes} bytes in one DATA`)
      received += bytes
      if (each.end) break
      if (bytes > 0) driver.giveWindow(number, bytes)
    }
    assert.equal(received, 3_000_000)
  })

  for (const target of ['/big?bytes=3000000', '/endless']) {
    test(`stops ${target} when the window is used up, and goes on with a new one`, async t => {
      const driver = await loaded(t, shim)
      const number = driver.call(`GET ${target}`)
      const sent = async (least: number): Promise<number> => {
        let bytes = 0
        while (bytes < least) {
          const each = await driver.next(one => one.call === number && one.type !== T.LOG, 'a piece')
          bytes +=
            each.type === T.RESULT
              ? each.payload.length - 4 - each.payload.readUInt32BE(0)
              : each.payload.length
        }
        return bytes
      }
      assert.equal(await sent(WINDOW), WINDOW)
      assert.equal((await driver.get('/hello')).status, 200) // others are not held up
      assert.equal(driver.taken(each => each.call === number && each.type !== T.LOG).length, 0)
      driver.giveWindow(number, 1000)
      assert.equal(await sent(1000), 1000)
      await driver.settle()
      assert.equal(driver.taken(each => each.call === number && each.type !== T.LOG).length, 0)
      driver.send(T.CANCEL, number, 'client')
      const last = await driver.next(each => each.call === number && each.type !== T.LOG, 'FAIL')
      assert.equal(last.type, T.FAIL)
    })
  }

  test('drops what was not read of a request that is answered early', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('POST /hello', { open: true, body: 'begin' })
    assert.equal(String((await driver.answer(number)).body), 'Hello, world!')
    driver.send(T.DATA, number, 'more')
    driver.send(T.DATA, number, '', 1)
    assert.equal((await driver.get('/hello')).status, 200)
  })

  test('ends the reading of a request that is cancelled', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('POST /echo-whole', { open: true, body: 'begin' })
    await driver.settle()
    driver.send(T.CANCEL, number, 'client')
    const last = await driver.next(each => each.call === number, 'FAIL')
    assert.equal(last.type, T.FAIL)
  })

  test('ends a call that is cancelled before its code has begun', async t => {
    const driver = await loaded(t, shim)
    for (let i = 0; i < 20; i++) {
      const number = driver.call('POST /echo-whole', { open: true, body: 'begin' })
      driver.send(T.CANCEL, number, 'client')
      const last = await driver.next(each => each.call === number, 'FAIL')
      assert.equal(last.type, T.FAIL)
    }
  })
}
