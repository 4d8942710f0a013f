import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { rubyEnvironment } from '../../src/environments/index.ts'
import { Driver, T } from '../suites/frames/driver.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/ruby/shim/shim.rb')
const directory = join(import.meta.dirname, '../fixtures/frames/ruby')
const status = await rubyEnvironment.probe()

if (!status.ready) test('the ruby shim keeps to frames', { skip: status.reason }, () => {})
else {
  const [program = '', ...args] = status.launch.command
  const spawn = () => spawnShim(program, [...args.slice(0, -1), shim])
  framesSuite('ruby', {
    spawn,
    directory,
    entry: 'suite.rb:handler',
    broken: [
      { entry: 'syntax.rb', says: /syntax\.rb:\d+: .*syntax error/ },
      { entry: 'throws.rb', says: /not today/ },
      { entry: 'missing.rb', says: /missing/ },
      { entry: 'empty.rb', says: /no handler.*It has: one, two/ },
      { entry: 'suite.rb:nothing', says: /nothing/ },
    ],
  })

  test('a Rack application runs with its middleware and maps', async t => {
    const driver = new Driver(spawn())
    t.after(async () => {
      driver.shim.kill()
      await driver.shim.exited
    })
    assert.equal((await driver.load(directory, 'config.ru')).type, T.LOADED)
    const posted = await driver.answer(driver.call('POST /x', { body: 'word' }))
    assert.deepEqual([posted.status, String(posted.body)], [201, 'POST WORD'])
    const sub = await driver.get('/sub/below?q')
    assert.deepEqual([String(sub.body), sub.headers.includes('x-path: /below')], ['SUB', true])
  })
}
