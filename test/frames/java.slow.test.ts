import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { javaEnvironment } from '../../src/environments/index.ts'
import { loaded } from '../suites/frames/start.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const status = await javaEnvironment.probe()

if (!status.ready) test('the java shim keeps to frames', { skip: status.reason }, () => {})
else {
  const directory = mkdtempSync(join(tmpdir(), 'atelier-java-'))
  after(() => rmSync(directory, { recursive: true }))
  cpSync(join(import.meta.dirname, '../fixtures/frames/java'), directory, { recursive: true })
  const [step] = javaEnvironment.buildPlan(['Suite.java'], { entry: 'Suite' }).checkSteps
  const [compile = '', ...options] = step!.command.map(part => (part === '/work' ? directory : part))
  const built = spawnSync(compile, options, { encoding: 'utf8' })
  assert.equal(built.status, 0, built.stderr)
  const [program = '', ...args] = status.launch.command
  const shim = {
    spawn: () => spawnShim(program, args),
    directory,
    entry: 'Suite',
    broken: [
      { entry: 'Throws', says: /not today/ },
      { entry: 'Missing', says: /Missing/ },
      { entry: 'Empty', says: /no handler/ },
      { entry: 'Suite:nothing', says: /nothing.*It has: .*handle/ },
      { entry: 'Suite:handle:cobol', says: /cobol.*plain/ },
    ],
  }
  framesSuite('java', shim)

  test('a generic java instance has rehearsed, and serves the code that it gets', async t => {
    const driver = await loaded(t, {
      ...shim,
      spawn: () => spawnShim(program, args, { ATELIER_GENERIC: '1' }),
    })
    assert.deepEqual(JSON.parse(String((await driver.get('/env')).body)).platform, [])
  })

  test('a Function<String, String> gets the body as text and answers with text', async t => {
    const driver = await loaded(t, { ...shim, entry: 'Upper' })
    const { status: code, body } = await driver.answer(driver.call('POST /', { body: 'shout' }))
    assert.deepEqual([code, String(body)], [200, 'SHOUT'])
  })

  test('a named method answers, and plain data becomes JSON', async t => {
    const driver = await loaded(t, { ...shim, entry: 'Suite:other' })
    const { headers, body } = await driver.get('/')
    assert.ok(headers.includes('content-type: application/json'))
    assert.deepEqual(JSON.parse(String(body)), { method: 'GET', list: [1, 2.5, true] })
  })

  test('sources that nobody has built are compiled when they are loaded', async t => {
    const driver = await loaded(t, {
      ...shim,
      directory: join(import.meta.dirname, '../fixtures/frames/java'),
    })
    assert.equal(String((await driver.get('/stream')).body), 'from a stream')
  })
}
