import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { type Answer, Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const status = await pythonEnvironment.probe()
const skip = status.ready ? false : status.reason
const environments = join(import.meta.dirname, '../../src/environments')
const fixtures = join(import.meta.dirname, '../fixtures/frames')

async function loaded(t: TestContext, language: 'python' | 'nodejs', name: string): Promise<Driver> {
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
  const entry = language === 'python' ? `qinling_functions:${name}:qinling` : `qinling.cjs#${name}:qinling`
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
