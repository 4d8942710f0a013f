import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/nodejs/shim/main.mjs')
const directory = join(import.meta.dirname, '../fixtures/frames/nodejs')

async function loaded(t: TestContext, entry: string): Promise<Driver> {
  const driver = new Driver(spawnShim(process.execPath, ['--disable-warning=ExperimentalWarning', shim]))
  t.after(() => driver.shim.kill())
  const answer = await driver.load(directory, entry)
  assert.equal(answer.type, T.LOADED, String(answer.payload))
  return driver
}

test('an export called handler is AWS Lambda\u2019s', async t => {
  const driver = await loaded(t, 'conventions.cjs#handler')
  const headers = ['host: h', 'cookie: x=1; y=2', 'content-type: application/json']
  const {
    status,
    headers: sent,
    body,
  } = await driver.answer(driver.call('POST /a/b?n=1&n=2', { headers, body: '{"in":1}' }))
  const event = JSON.parse(String(body)) as Record<string, unknown>
  assert.equal(status, 202)
  assert.ok(sent.includes('x-id: id-1'))
  assert.deepEqual(
    sent.filter(line => line.startsWith('set-cookie')),
    ['set-cookie: a=1', 'set-cookie: b=2'],
  )
  assert.deepEqual(
    { ...event, requestContext: undefined },
    {
      version: '2.0',
      routeKey: '$default',
      rawPath: '/a/b',
      rawQueryString: 'n=1&n=2',
      cookies: ['x=1', 'y=2'],
      headers: { host: 'h', 'content-type': 'application/json' },
      queryStringParameters: { n: '1,2' },
      requestContext: undefined,
      body: '{"in":1}',
      isBase64Encoded: false,
      left: true,
    },
  )
  assert.equal(String((await driver.get('/plain')).body), '{"just":"data"}')
  assert.deepEqual([...(await driver.get('/bytes')).body], [0, 255])
})

for (const [entry, target, body] of [
  ['conventions.handler', '/plain', '{"just":"data"}'],
  ['conventions.cjs#withCallback:lambda', '/', 'called back'],
  ['conventions.cjs#fissionCallback', '/', 'by GET'],
  ['conventions.cjs#object', '/path', 'fetched /path'],
  ['conventions.cjs#data', '/', '{"some":"data"}'],
  ['conventions.cjs#nothing', '/', ''],
  ['conventions.cjs#nativeResponse', '/', 'from fetch'],
  ['conventions.cjs#readsItself', '/', '["body","body",201,true]'],
] as const) {
  test(`${entry} answers ${JSON.stringify(body)}`, async t => {
    const driver = await loaded(t, entry)
    const answer = await driver.get(target)
    assert.equal(answer.fail, undefined)
    assert.equal(String(answer.body), body)
  })
}

test('a first parameter called context means Fission', async t => {
  const driver = await loaded(t, 'conventions.cjs#fission')
  const number = driver.call('POST /?q=1', { headers: ['content-type: application/json'], body: '{"a":1}' })
  const { status, headers, body } = await driver.answer(number)
  assert.equal(status, 203)
  assert.ok(headers.includes('x-a: 1'))
  assert.deepEqual(JSON.parse(String(body)), { sent: { a: 1 }, query: { q: '1' } })
})

test('a second parameter called res means functions-framework', async t => {
  const driver = await loaded(t, 'conventions.cjs#hello')
  const number = driver.call('POST /x?name=n', {
    headers: ['content-type: application/json', 'user-agent: me'],
    body: '{"a":1}',
  })
  const { status, headers, body } = await driver.answer(number)
  assert.equal(status, 201)
  assert.ok(headers.includes('x-b: 2'))
  assert.deepEqual(JSON.parse(String(body)), { body: { a: 1 }, name: 'n', agent: 'me' })
  assert.equal(String((await driver.get('/stream')).body), 'one two')
  const raw = await driver.get('/raw')
  assert.deepEqual([raw.status, String(raw.body)], [418, 'teapot'])
  assert.deepEqual(
    raw.headers.filter(line => line.startsWith('x-raw')),
    ['x-raw: 1', 'x-raw: 2'],
  )
  assert.equal((await driver.get('/never-ended')).fail?.message, 'no answer')
})

test('an application of a framework reads its request by itself', async t => {
  const driver = await loaded(t, 'conventions.cjs#application')
  assert.equal(String((await driver.answer(driver.call('POST /', { body: 'this' }))).body), 'read this')
})

test('TypeScript runs as it is', async t => {
  const driver = await loaded(t, 'typed.ts')
  const number = driver.call('POST /', { body: '{"name":"n"}' })
  assert.equal(String((await driver.answer(number)).body), 'typed n')
})

test('waitUntil keeps the call open after its whole answer', async t => {
  const driver = await loaded(t, 'conventions.cjs#late')
  const number = driver.call('GET /')
  const head = await driver.next(each => each.type === T.RESULT, 'RESULT')
  assert.equal(head.end, false)
  assert.match(String(head.payload), /content-length: 7/)
  assert.equal(String((await driver.answer(number)).body), 'at once')
  assert.equal(driver.taken(each => each.type === T.LOG && each.call === number).length, 1)
})

test('requests can be copied, cloned and told as what they are', async t => {
  const driver = await loaded(t, 'conventions.cjs#copies')
  const number = driver.call('POST /', { body: 'text', headers: ['x-old: 1'] })
  const { body, fail } = await driver.answer(number)
  assert.equal(fail, undefined)
  assert.deepEqual(JSON.parse(String(body)), {
    is: true,
    copied: 'yes',
    text: 'text',
    headers: true,
  })
})

test('forms are read and sent', async t => {
  const driver = await loaded(t, 'conventions.cjs#forms')
  const number = driver.call('POST /', {
    body: 'a=1&b=2',
    headers: ['content-type: application/x-www-form-urlencoded'],
  })
  const { headers, body, fail } = await driver.answer(number)
  assert.equal(fail, undefined)
  assert.match(headers.join('\n'), /content-type: multipart\/form-data; boundary=/)
  assert.match(String(body), /name="a"\r\n\r\n1\r\n/)
})

test('anything that is thrown fails its call alone', async t => {
  const driver = await loaded(t, 'conventions.cjs#rejects')
  assert.equal((await driver.get('/')).fail?.message, 'just a string')
  assert.equal((await driver.get('/')).fail?.message, 'just a string')
})

test('an unhandled rejection is logged with its call, which goes on', async t => {
  const driver = await loaded(t, 'conventions.cjs#unhandled')
  const number = driver.call('GET /')
  assert.equal(String((await driver.answer(number)).body), 'alive')
  assert.match(
    driver
      .taken(each => each.type === T.LOG && each.call === number)
      .map(each => String(each.payload))
      .join(''),
    /nobody looks/,
  )
})

test('an uncaught exception is logged, fails what runs, and ends the process', async t => {
  const driver = await loaded(t, 'conventions.cjs#uncaught')
  const { fail } = await driver.get('/')
  assert.match(fail?.message ?? '', /uncaught exception/)
  assert.match(
    driver
      .taken(each => each.type === T.LOG)
      .map(each => String(each.payload))
      .join(''),
    /nobody catches/,
  )
  await driver.shim.exited
})
