import { join } from 'node:path'
import { test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/python/shim.py')
const directory = join(import.meta.dirname, '../fixtures/frames/python')
const status = await pythonEnvironment.probe()

if (!status.ready)
  test('the python shim, with async handlers, keeps to frames', { skip: status.reason }, () => {})
else {
  const [program = ''] = status.launch.command
  framesSuite('asynchronous python', {
    spawn: () => spawnShim(program, ['-I', '-S', shim]),
    directory,
    entry: 'suite_async:handler',
    broken: [],
  })
}
