import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { type Answer, Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const status = await pythonEnvironment.probe()
const skip = status.ready ? false : status.reason
const environments = join(import.meta.dirname, '../../src/environments')
const fixtures = join(import.meta.dirname, '../fixtures/frames')

async function loaded(
  t: TestContext,
  language: 'python' | 'nodejs',
  name: string,
  module = 'qinling_functions',
): Promise<Driver> {
  const python = status.ready ? (status.launch.command[0] ?? '') : ''
  const shim =
    language === 'python'
      ? spawnShim(python, ['-I', '-S', join(environments, 'python/shim.py')])
      : spawnShim(process.execPath, [
          '--disable-warning=ExperimentalWarning',
          join(environments, 'nodejs/shim/main.mjs'),
        ])
  const driver = new Driver(shim)
  t.after(() => driver.shim.kill())
  const entry = language === 'python' ? `${module}:${name}:qinling` : `qinling.cjs#${name}:qinling`
  const answer = await driver.load(join(fixtures, language), entry)
  assert.equal(answer.type, T.LOADED, String(answer.payload))
  return driver
}

function execute(driver: Driver, input: unknown, headers: readonly string[] = []): Promise<Answer> {
  const body = input === undefined ? '' : JSON.stringify(input)
  return driver.answer(driver.call('POST /', { headers: ['qinling-execution-id: e-1', ...headers], body }))
}

function outputOf({ body }: Answer): unknown {
  return JSON.parse(String(body))
}

const TOO_MUCH = 'Function execution failed because of too much resource consumption'

test('a Python function gets the input by name, the text without a name, and the context', {
  skip,
}, async t => {
  const driver = await loaded(t, 'python', 'echo')
  const context = { os_session: null }
  const named = await execute(driver, { a: 1, context: 'overwritten' })
  assert.equal(named.status, 200)
  assert.ok(named.headers.some(line => /^qinling-duration: \d+\.\d+$/.test(line)))
  assert.deepEqual(outputOf(named), [[], { a: 1 }, context])
  assert.deepEqual(outputOf(await execute(driver, { __function_input: 'Bob' })), [['Bob'], {}, context])
  assert.deepEqual(outputOf(await execute(driver, undefined)), [[], {}, context])
})

const noSession = existsSync('/usr/lib/python3/dist-packages/keystoneauth1')
  ? skip
  : 'keystoneauth1 is not installed (Debian package python3-keystoneauth1)'

test('a Python function whose package has keystoneauth1 gets a session with the token that was lent', {
  skip: noSession,
}, async t => {
  const asked: string[] = []
  const keystone = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { 'x-auth-token': token, 'x-subject-token': subject } = request.headers
    const isKnown = token === 'lent-token' && subject === token
    const endpoint = { id: 'e', interface: 'public', region: 'R', region_id: 'R', url: 'http://nova/v2.1' }
    const catalog = [{ id: 's', type: 'compute', name: 'nova', endpoints: [endpoint] }]
    const project = { id: 'p-1', name: 'blue', domain: { id: 'default', name: 'Default' } }
    const times = { expires_at: '2999-01-01T00:00:00.000000Z', issued_at: '2020-01-01T00:00:00.000000Z' }
    const said = {
      token: { methods: ['token'], ...times, project, catalog, roles: [], user: { id: 'u', name: 'u' } },
    }
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  })
  await once(keystone.listen(0, '127.0.0.1'), 'listening')
  t.after(() => keystone.close())
  const authUrl = `http://127.0.0.1:${(keystone.address() as AddressInfo).port}/v3`
  const driver = await loaded(t, 'python', 'main', 'qinling_session')
  const lent = ['atelier-auth-token: lent-token', `atelier-auth-url: ${authUrl}`, 'atelier-project-id: p-1']
  const answer = await execute(driver, {}, lent)
  assert.deepEqual(outputOf(answer), ['lent-token', 'p-1', 'http://nova/v2.1', 'p-1'])
  assert.deepEqual(asked, ['GET /v3/auth/tokens'])
})

test('each execution of a Python function finds its module as new', { skip }, async t => {
  const driver = await loaded(t, 'python', 'count')
  for (let i = 0; i < 3; i++) assert.equal(outputOf(await execute(driver, {})), 1)
})

for (const [name, output] of [
  ['fail', 'café'],
  ['leave', TOO_MUCH],
  ['refused', TOO_MUCH],
  ['files', "[Errno 24] Too many open files: '/dev/null'"],
  ['large', '[Errno 27] File too large'],
  ['thing', 'Object of type object is not JSON serializable'],
  ['missing', "module 'qinling_functions' has no attribute 'missing'"],
] as const)
  test(`what ends the Python function "${name}" is its output`, { skip }, async t => {
    const driver = await loaded(t, 'python', name)
    const answer = await execute(driver, {})
    assert.deepEqual([answer.status, outputOf(answer)], [500, output])
    assert.equal((await execute(driver, {})).status, 500, 'the instance serves on')
  })

test('a Python function ends at its timeout, with all that it started, and the instance serves on', {
  skip,
}, async t => {
  const driver = await loaded(t, 'python', 'wait')
  const late = await execute(driver, { seconds: 60 }, ['qinling-timeout-ms: 1000'])
  assert.deepEqual([late.status, outputOf(late)], [500, 'Function execution timeout.'])
  const duration = late.headers.find(line => line.startsWith('qinling-duration: '))
  assert.ok(Number(duration?.split(' ')[1]) >= 1)
  assert.equal(outputOf(await execute(driver, { seconds: 0 })), 'waited')
})

test('a Node function gets context and input, and answers with what it returns', async t => {
  const driver = await loaded(t, 'nodejs', 'echo')
  const answer = await execute(driver, { a: 1 })
  assert.deepEqual([answer.status, outputOf(answer)], [200, { context: {}, input: { a: 1 } }])
  assert.ok(answer.headers.includes('qinling-duration: 0'))
  assert.deepEqual(outputOf(await execute(driver, undefined)), { context: {}, input: null })
})

test('a Node function that fails, takes too long or returns nothing says so as Qinling does', async t => {
  const failed = await execute(await loaded(t, 'nodejs', 'fail'), {})
  assert.deepEqual([failed.status, outputOf(failed)], [500, 'Function invocation error'])
  const late = await execute(await loaded(t, 'nodejs', 'wait'), {}, ['qinling-timeout-ms: 200'])
  assert.deepEqual([late.status, outputOf(late)], [500, 'Function execution timeout.'])
  assert.equal(outputOf(await execute(await loaded(t, 'nodejs', 'nothing'), {})), null)
})
