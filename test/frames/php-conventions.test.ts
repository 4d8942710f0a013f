import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { phpEnvironment } from '../../src/environments/index.ts'
import { Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/php/shim/shim.php')
const directory = join(import.meta.dirname, '../fixtures/frames/php')
const status = await phpEnvironment.probe()
const skip = status.ready ? false : status.reason

test('a plain script answers with what it prints, and leaves nothing for the next call', {
  skip,
}, async t => {
  const driver = await loaded(t, 'script.php')
  for (const expected of ['<p>Hello, Ada, GET, 1</p>', '<p>Hello, Ada, GET, 1</p>']) {
    const { status, headers, body } = await driver.get('/?name=Ada')
    assert.deepEqual([status, String(body).trim()], [200, expected])
    assert.ok(headers.includes('content-type: text/html; charset=utf-8'))
  }
  const headers = ['content-type: application/x-www-form-urlencoded']
  const posted = await driver.answer(driver.call('POST /', { headers, body: 'name=Grace' }))
  assert.match(String(posted.body), /Hello, Grace, POST, 1/)
})

test('a plain script may exit with a status of its own, and its fatal error fails the call alone', {
  skip,
}, async t => {
  const driver = await loaded(t, 'script.php')
  const gone = await driver.get('/?exit')
  assert.deepEqual([gone.status, String(gone.body)], [404, 'gone'])
  assert.match((await driver.get('/?fatal')).fail?.message ?? '', /script ended before/)
  assert.equal((await driver.get('/')).status, 200)
})

test('a function for Fission finds its request, its response and its logger', { skip }, async t => {
  const driver = await loaded(t, 'fission.php')
  const { status, headers, body } = await driver.get('/?name=Ada')
  assert.deepEqual([status, String(body)], [202, 'Hello, Ada'])
  assert.ok(headers.includes('x-by: fission'))
  const logs = driver.taken(each => each.type === T.LOG)
  assert.equal(logs[0]?.payload.toString('utf8', 1), 'INFO: called\n')
})

test('a file may return its handler', { skip }, async t => {
  const driver = await loaded(t, 'closure.php')
  assert.deepEqual(JSON.parse(String((await driver.get('/x')).body)), { closure: '/x' })
})

async function loaded(t: TestContext, entry: string): Promise<Driver> {
  assert.ok(status.ready)
  const [program = '', ...args] = status.launch.command
  const driver = new Driver(spawnShim(program, [...args.slice(0, -1), shim]))
  t.after(async () => {
    driver.shim.kill()
    await driver.shim.exited
  })
  assert.equal((await driver.load(directory, entry)).type, T.LOADED)
  return driver
}
