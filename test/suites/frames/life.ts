import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShimUnderTest } from '../frames.ts'
import { frame, T } from './driver.ts'
import { loaded, started } from './start.ts'

// As that of a program which is started for each call.
const ENDS_CALL = 'the exit of this code ends its call, and not the instance'

export function lifeTests(shim: ShimUnderTest): void {
  test('says HELLO with its protocol, its name and its runtime before anything else', async t => {
    const driver = started(t, shim)
    const hello = await driver.next(() => true, 'HELLO')
    assert.equal(hello.type, T.HELLO)
    const { protocol, shim: name, runtime } = JSON.parse(String(hello.payload)) as Record<string, unknown>
    assert.equal(protocol, 1)
    assert.equal(typeof name, 'string')
    assert.equal(typeof runtime, 'string')
  })

  test('answers LOAD with LOADED and the time it took', async t => {
    const driver = started(t, shim)
    const answer = await driver.load(shim.directory, shim.entry)
    assert.equal(answer.type, T.LOADED)
    assert.ok((JSON.parse(String(answer.payload)) as { initUs: number }).initUs >= 0)
  })

  for (const { entry, says } of shim.broken) {
    test(`answers LOAD of ${entry} with LOAD_FAILED that says why, and exits`, async t => {
      const driver = started(t, shim)
      const answer = await driver.load(shim.directory, entry)
      assert.equal(answer.type, T.LOAD_FAILED)
      assert.match((JSON.parse(String(answer.payload)) as { message: string }).message, says)
      await driver.shim.exited
    })
  }

  test('gives the code its configuration and its secrets', async t => {
    const driver = await loaded(t, shim)
    const { body } = await driver.get('/env')
    assert.deepEqual(JSON.parse(String(body)), {
      greeting: 'hi',
      key: 's3cret',
      envKey: 's3cret',
      platform: [],
      version: 3,
    })
  })

  test('reads a stream that arrives byte by byte', async t => {
    const driver = await loaded(t, shim)
    const head = Buffer.from(`POST /echo-whole\nid\n${Date.now() + 30_000}\ncontent-type: text/x`)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(head.length)
    for (const byte of frame(T.CALL, 77, Buffer.concat([size, head, Buffer.from('dribble')]), 1)) {
      driver.sendRaw(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    assert.equal(String((await driver.answer(77)).body), 'dribble')
  })

  test('ignores frames of an unknown type, and of calls that are over', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /hello')
    await driver.answer(number)
    driver.send(99, 0, 'who knows')
    driver.send(99, number, 'who knows')
    driver.send(T.DATA, number, 'late', 1)
    driver.send(T.CANCEL, number, 'client')
    driver.giveWindow(number, 10)
    assert.equal(String((await driver.get('/hello')).body), 'Hello, world!')
  })

  test('exits when the platform sends a frame that is too long', async t => {
    const driver = await loaded(t, shim)
    driver.sendRaw(Buffer.from([0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0, 0, 1, 1, 2, 3]))
    await driver.shim.exited
  })

  test('exits when the stream ends, even while a call runs', async t => {
    const driver = await loaded(t, shim)
    driver.call('GET /slow?ms=60000')
    await driver.settle()
    driver.shim.channel.end()
    await driver.shim.exited
  })

  test('answers PING with the same bytes, also while calls wait', async t => {
    const driver = await loaded(t, shim)
    const numbers = Array.from({ length: 8 }, () => driver.call('GET /slow?ms=300'))
    assert.equal(await driver.ping('\u0000bytes'), '\u0000bytes')
    assert.equal(driver.taken(each => each.type === T.RESULT).length, 0)
    for (const number of numbers) assert.equal((await driver.answer(number)).status, 200)
  })

  test('finishes what runs after DRAIN, then exits', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /slow?ms=200')
    driver.send(T.DRAIN, 0)
    assert.equal(String((await driver.answer(number)).body), 'slow')
    await driver.shim.exited
  })

  test('exits at once on DRAIN when nothing runs', async t => {
    const driver = await loaded(t, shim)
    driver.send(T.DRAIN, 0)
    await driver.shim.exited
  })

  test('ends with the code when the code exits', {
    skip: shim.lacks?.includes('exit') && ENDS_CALL,
  }, async t => {
    const driver = await loaded(t, shim)
    driver.call('GET /exit')
    await driver.shim.exited
    await driver.closed()
  })
}
