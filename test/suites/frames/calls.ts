import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShimUnderTest } from '../frames.ts'
import { T } from './driver.ts'
import { loaded } from './start.ts'

export function callTests(shim: ShimUnderTest): void {
  test('answers a small call with one RESULT that has END', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /hello')
    const result = await driver.next(each => each.call === number, 'RESULT')
    assert.equal(result.type, T.RESULT)
    assert.equal(result.end, true)
    const size = result.payload.readUInt32BE(0)
    assert.match(result.payload.toString('utf8', 4, 4 + size), /^200\ncontent-type: text\/plain/)
    assert.equal(result.payload.toString('utf8', 4 + size), 'Hello, world!')
  })

  test('shows the code method, target and headers, with repeated ones joined', async t => {
    const driver = await loaded(t, shim)
    const headers = ['host: example.org', 'x-one: a', 'x-one: b', 'cookie: c=1', 'x-latin: caf\u00e9']
    const { body } = await driver.answer(driver.call('PUT /request/%C3%A9?q=1&q=2', { headers }))
    assert.deepEqual(JSON.parse(String(body)), {
      method: 'PUT',
      url: 'http://example.org/request/%C3%A9?q=1&q=2',
      one: 'a, b',
      cookie: 'c=1',
      latin: 'caf\u00e9',
    })
  })

  test('shows the code the invocation id and the deadline', async t => {
    const driver = await loaded(t, shim)
    const deadline = Date.now() + 12_345
    const number = driver.call('GET /deadline', { deadline, headers: ['traceparent: 00-ab-cd-01'] })
    const seen = JSON.parse(String((await driver.answer(number)).body)) as Record<string, unknown>
    assert.equal(seen['id'], `id-${number}`)
    assert.equal(seen['deadline'], deadline)
    assert.equal(seen['traceparent'], '00-ab-cd-01')
    assert.ok((seen['remainingMs'] as number) <= 12_345)
  })

  test('sends repeated headers as lines, and Latin-1 as code points', async t => {
    const driver = await loaded(t, shim)
    const { status, headers } = await driver.get('/set-headers')
    assert.equal(status, 201)
    const cookies = headers.filter(line => line.startsWith('set-cookie: '))
    assert.deepEqual(cookies, ['set-cookie: a=1', 'set-cookie: b=2'])
    assert.ok(headers.includes('x-latin: caf\u00e9'), headers.join('\n'))
  })

  test('fails a call whose answer has a forged header, and serves on', async t => {
    const driver = await loaded(t, shim)
    const { status, fail } = await driver.get('/bad-header')
    assert.equal(status, 0)
    assert.match(fail?.message ?? '', /header/i)
    assert.equal((await driver.get('/hello')).status, 200)
  })

  test('fails a call whose answer has an impossible status, and serves on', async t => {
    const driver = await loaded(t, shim)
    assert.match((await driver.get('/status?code=999')).fail?.message ?? '', /999/)
    assert.equal((await driver.get('/hello')).status, 200)
  })

  test('answers 204 and HEAD without a body', async t => {
    const driver = await loaded(t, shim)
    const none = await driver.get('/status?code=204')
    assert.equal(none.status, 204)
    assert.equal(none.body.length, 0)
    const head = await driver.answer(driver.call('HEAD /big?bytes=1000000'))
    assert.equal(head.status, 200)
    assert.equal(head.body.length, 0)
    assert.ok(head.headers.includes('content-length: 1000000'), head.headers.join('\n'))
  })

  test('fails a call whose code throws, with message and stack, and serves on', async t => {
    const driver = await loaded(t, shim)
    const { status, fail } = await driver.get('/throw')
    assert.equal(status, 0)
    assert.equal(fail?.message, 'boom')
    assert.match(fail?.stack ?? '', /boom[\s\S]*suite|suite[\s\S]*boom/i)
    assert.equal((await driver.get('/hello')).status, 200)
  })

  test('breaks an answer off when the code throws after its head', async t => {
    const driver = await loaded(t, shim)
    const { status, body, fail } = await driver.get('/throw-late')
    assert.equal(status, 200)
    assert.equal(String(body), 'part')
    assert.equal(fail?.message, 'too late')
  })

  test('interleaves calls: a later, quicker one is answered first', async t => {
    const driver = await loaded(t, shim)
    const slow = driver.call('GET /slow?ms=400')
    const quick = driver.call('GET /hello')
    assert.equal((await driver.answer(quick)).status, 200)
    assert.equal(driver.taken(each => each.call === slow).length, 0)
    assert.equal((await driver.answer(slow)).status, 200)
  })

  test('sends what a call prints as LOG with its number, whole lines, before its answer', async t => {
    const driver = await loaded(t, shim)
    const [first, second] = [driver.call('GET /log?name=first'), driver.call('GET /log?name=second')]
    await Promise.all([driver.answer(first), driver.answer(second)])
    for (const [number, name] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      const logs = driver.taken(each => each.type === T.LOG && each.call === number)
      const out = logs.filter(each => each.payload[0] === 1).map(each => each.payload.toString('utf8', 1))
      const error = logs.filter(each => each.payload[0] === 2).map(each => each.payload.toString('utf8', 1))
      if (!shim.lacks?.includes('stdout'))
        assert.equal(out.join(''), `${name} says gr\u00fc\u00df dich \u{1f44b}\nin two pieces\n`)
      assert.equal(error.join(''), `${name} warns\n`)
      for (const each of logs) assert.equal(each.payload.at(-1), 10)
    }
  })

  test('stops a flood of output of one call', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /log-flood')
    assert.equal((await driver.answer(number)).status, 200)
    const bytes = driver
      .taken(each => each.type === T.LOG && each.call === number)
      .reduce((sum, each) => sum + each.payload.length, 0)
    assert.ok(bytes >= 1024 * 1024 && bytes < 4 * 1024 * 1024, `${bytes} bytes`)
  })

  test('tells the code of CANCEL, says nothing more, and ends the call with an empty FAIL', async t => {
    const driver = await loaded(t, shim)
    const number = driver.call('GET /never')
    await driver.next(each => each.type === T.LOG && each.call === number, 'LOG')
    driver.send(T.CANCEL, number, 'client')
    const last = await driver.next(each => each.call === number && each.type !== T.LOG, 'FAIL')
    assert.equal(last.type, T.FAIL)
    assert.equal(last.payload.length, 0)
    assert.equal(String((await driver.get('/cancelled')).body), 'client')
    assert.equal(driver.taken(each => each.call === number && each.type !== T.LOG).length, 0)
  })
}
