import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ShimUnderTest } from '../frames.ts'
import { type Driver, T, WINDOW } from './driver.ts'
import { loaded } from './start.ts'

export function webSocketTests(shim: ShimUnderTest): void {
  test('accepts a WebSocket with 101 and echoes text and bytes', async t => {
    const { driver, number } = await opened(t, shim)
    driver.send(T.MESSAGE, number, 'gr\u00fc\u00df', 2)
    const text = await message(driver, number)
    assert.deepEqual([String(text.payload), text.text], ['gr\u00fc\u00df', true])
    driver.send(T.MESSAGE, number, Buffer.from([0, 255, 1]))
    const bytes = await message(driver, number)
    assert.deepEqual([[...bytes.payload], bytes.text], [[0, 255, 1], false])
    driver.send(T.MESSAGE, number, '', 2)
    assert.equal((await message(driver, number)).payload.length, 0)
  })

  test('gives the window back for messages, and waits for it', async t => {
    const { driver, number } = await opened(t, shim)
    const large = Buffer.alloc(200_000, 7)
    driver.send(T.MESSAGE, number, large)
    assert.ok((await message(driver, number)).payload.equals(large))
    const given = await driver.next(each => each.call === number && each.type === T.WINDOW, 'WINDOW')
    assert.ok(given.payload.readUInt32BE(0) <= WINDOW)
    // The echo of this one takes the shim's own credit below zero; that of the next has to wait.
    driver.send(T.MESSAGE, number, large)
    assert.ok((await message(driver, number)).payload.equals(large))
    driver.send(T.MESSAGE, number, 'waits', 2)
    await driver.settle()
    assert.equal((await driver.get('/hello')).status, 200)
    assert.equal(driver.taken(each => each.type === T.MESSAGE).length, 0)
    driver.giveWindow(number, 2 * large.length)
    assert.equal(String((await message(driver, number)).payload), 'waits')
  })

  test('ends the call when the other side closes', async t => {
    const { driver, number } = await opened(t, shim)
    driver.send(T.DATA, number, Buffer.from([3, 232, 98, 121, 101]), 1)
    const last = await driver.next(each => each.call === number && each.end, 'the end')
    assert.equal(last.type, T.DATA)
    assert.equal((await driver.get('/hello')).status, 200)
  })

  test('closes with code and reason', async t => {
    const { driver, number } = await opened(t, shim)
    driver.send(T.MESSAGE, number, 'close', 2)
    const last = await driver.next(each => each.call === number && each.end, 'the end')
    assert.equal(last.type, T.DATA)
    assert.equal(last.payload.readUInt16BE(0), 4001)
    assert.equal(last.payload.toString('utf8', 2), 'as you wish')
  })

  test('answers an offer that the code does not take like any other call', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /hello', { open: true, headers: ['upgrade: websocket'] })
    assert.equal(String((await driver.answer(number)).body), 'Hello, world!')
  })

  test('ends a WebSocket whose client is gone', async t => {
    const { driver, number } = await opened(t, shim)
    driver.send(T.CANCEL, number, 'client')
    const last = await driver.next(each => each.call === number, 'FAIL')
    assert.equal(last.type, T.FAIL)
  })
}

async function opened(t: TestContext, shim: ShimUnderTest): Promise<{ driver: Driver; number: number }> {
  const driver = await loaded(t, shim)
  const headers = ['upgrade: websocket', 'sec-websocket-protocol: chat, other']
  const number = driver.call('GET /ws', { open: true, headers })
  const result = await driver.next(each => each.call === number && each.type === T.RESULT, 'RESULT')
  assert.equal(result.end, false)
  assert.equal(result.payload.toString('utf8', 4), '101\nsec-websocket-protocol: chat')
  return { driver, number }
}

function message(driver: Driver, number: number): ReturnType<Driver['next']> {
  return driver.next(each => each.call === number && each.type === T.MESSAGE, 'MESSAGE')
}
