import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { dotnetEnvironment } from '../../src/environments/index.ts'
import { loaded } from '../suites/frames/start.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures/frames/dotnet')

const status = await dotnetEnvironment.probe()

if (!status.ready) test('the dotnet shim keeps to frames', { skip: status.reason }, () => {})
else {
  const directory = mkdtempSync(join(tmpdir(), 'atelier-dotnet-'))
  after(() => rmSync(directory, { recursive: true }))
  cpSync(FIXTURE, directory, { recursive: true })
  const [step] = dotnetEnvironment.buildPlan(['Suite.cs', 'Others.cs'], { entry: 'Suite' }).checkSteps
  const [compile = '', ...options] = step!.command.map(part => (part === '/work' ? directory : part))
  const built = spawnSync(compile, options, { encoding: 'utf8' })
  assert.equal(built.status, 0, built.stdout + built.stderr)
  const [program = '', ...args] = status.launch.command
  const shim = {
    spawn: () => spawnShim(program, args),
    directory,
    entry: 'Suite',
    broken: [
      { entry: 'Throws', says: /not today/ },
      { entry: 'Missing', says: /Missing/ },
      { entry: 'Empty', says: /no handler/ },
      { entry: 'Suite:Nowhere', says: /Nowhere.*It has: .*Handle/ },
      { entry: 'Suite:Handle:cobol', says: /cobol.*plain/ },
    ],
  }
  framesSuite('dotnet', shim)

  test('a generic dotnet instance has rehearsed, and serves the code that it gets', async t => {
    const driver = await loaded(t, {
      ...shim,
      spawn: () => spawnShim(program, args, { ATELIER_GENERIC: '1' }),
    })
    assert.deepEqual(JSON.parse(String((await driver.get('/env')).body)).platform, [])
  })

  test('a method that returns a task is awaited, and plain data becomes JSON', async t => {
    const driver = await loaded(t, { ...shim, entry: 'Suite:Later' })
    const { headers, body } = await driver.answer(driver.call('POST /', { body: 'text' }))
    assert.ok(headers.includes('content-type: application/json'))
    assert.deepEqual(JSON.parse(String(body)), { body: 'text', list: [1, 2.5, true, null], map: { a: 1 } })
  })

  test('a task without a result answers 204, and a stream is sent on', async t => {
    const nothing = await loaded(t, { ...shim, entry: 'Suite:Nothing' })
    assert.equal((await nothing.get('/')).status, 204)
    const bytes = await loaded(t, { ...shim, entry: 'Suite:Bytes' })
    assert.equal(String((await bytes.answer(bytes.call('POST /', { body: 'on' }))).body), 'on')
  })

  for (const entry of ['FissionFunction', 'FissionFunction:Execute:fission', 'Any::FissionFunction::Execute'])
    test(`a function for Fission runs as it is, as ${entry}`, async t => {
      const driver = await loaded(t, { ...shim, entry })
      const { headers, body } = await driver.answer(driver.call('POST /?name=Ada', { body: 'hi' }))
      assert.equal(String(body), 'Ada: hi')
      assert.ok(headers.includes('content-type: text/plain; charset=utf-8'))
    })

  test('the stack of an error has the file and the line of the code', async t => {
    const driver = await loaded(t, shim)
    const stack = (await driver.get('/throw')).fail?.stack ?? ''
    assert.match(stack, /Suite\.cs:\d+/)
    assert.doesNotMatch(stack, /Atelier\.Shim/)
  })

  test('sources that nobody has built are compiled when they are loaded', async t => {
    const driver = await loaded(t, { ...shim, directory: FIXTURE })
    assert.equal(String((await driver.get('/hello')).body), 'Hello, world!')
  })
}
