import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { type Answer, Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/python/shim.py')
const directory = join(import.meta.dirname, '../fixtures/frames/python')
const status = await pythonEnvironment.probe()
const skip = status.ready ? false : status.reason

async function loaded(t: TestContext, entry: string): Promise<Driver> {
  const program = status.ready ? (status.launch.command[0] ?? '') : ''
  const driver = new Driver(spawnShim(program, ['-I', '-S', shim]))
  t.after(() => driver.shim.kill())
  const answer = await driver.load(directory, entry)
  assert.equal(answer.type, T.LOADED, String(answer.payload))
  return driver
}

async function post(driver: Driver, target: string, type: string, body: string): Promise<Answer> {
  return driver.answer(
    driver.call(`POST ${target}`, { headers: [`content-type: ${type}`, 'x-a: late'], body }),
  )
}

test('a first parameter called event means AWS Lambda', { skip }, async t => {
  const driver = await loaded(t, 'conventions:lambda_handler')
  const headers = ['host: h', 'cookie: x=1; y=2', 'content-type: application/json']
  const {
    status,
    headers: sent,
    body,
  } = await driver.answer(driver.call('POST /a/b?n=1&n=2', { headers, body: '{"in":1}' }))
  assert.equal(status, 202)
  assert.ok(sent.includes('x-id: id-1'))
  assert.deepEqual(
    sent.filter(line => line.startsWith('set-cookie')),
    ['set-cookie: a=1', 'set-cookie: b=2'],
  )
  assert.deepEqual(JSON.parse(String(body)), {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/a/b',
    rawQueryString: 'n=1&n=2',
    cookies: ['x=1', 'y=2'],
    headers: { host: 'h', 'content-type': 'application/json' },
    queryStringParameters: { n: '1,2' },
    requestContext: null,
    body: '{"in":1}',
    isBase64Encoded: false,
    left: true,
  })
  assert.equal(String((await driver.get('/plain')).body), '{"just": "data"}')
  assert.deepEqual([...(await driver.get('/bytes')).body], [0, 255])
})

for (const [entry, expectedStatus, body] of [
  ['conventions.lambda_handler', 202, /"rawPath": "\/x y"/],
  ['conventions:async_lambda', 200, /^asynchronously$/],
  ['conventions:wsgi', 201, /^written POST \/x y a=1$/],
  ['conventions:wsgi_late', 200, /^one late$/],
  ['conventions:application', 200, /^an object$/],
  ['conventions:asgi', 203, /^got a=1$/],
  ['conventions:nothing', 204, /^$/],
  ['conventions:one', 200, /^POST$/],
  ['conventions:file', 200, /^from a file$/],
  ['conventions:number', 200, /^42$/],
  ['conventions:form', 200, /^\{"a": "1"\}$/],
  ['conventions:flask_like', 200, /^a=1$/],
  ['conventions:threads', 200, /^MainThread$/],
] as const) {
  test(`${entry} answers ${expectedStatus} ${body}`, { skip }, async t => {
    const driver = await loaded(t, entry)
    const target = entry.includes('lambda_handler') ? '/x y' : '/x%20y'
    const answer = await post(driver, target, 'application/x-www-form-urlencoded', 'a=1')
    assert.equal(answer.fail, undefined)
    assert.equal(answer.status, expectedStatus)
    assert.match(String(answer.body), body)
  })
}

test('sys.exit ends the call and not the instance', { skip }, async t => {
  const driver = await loaded(t, 'conventions:leaves')
  assert.match((await driver.get('/')).fail?.message ?? '', /sys\.exit\(3\)/)
  assert.match((await driver.get('/')).fail?.message ?? '', /sys\.exit\(3\)/)
})

test('what cannot be sent is named', { skip }, async t => {
  const driver = await loaded(t, 'conventions:odd')
  assert.match((await driver.get('/')).fail?.message ?? '', /cannot answer with object/)
})
