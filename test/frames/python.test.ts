import { join } from 'node:path'
import { test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/python/shim.py')
const directory = join(import.meta.dirname, '../fixtures/frames/python')
const status = await pythonEnvironment.probe()

if (!status.ready) test('the python shim keeps to frames', { skip: status.reason }, () => {})
else {
  const [program = ''] = status.launch.command
  framesSuite('python', {
    spawn: () => spawnShim(program, ['-I', '-S', shim]),
    directory,
    entry: 'suite',
    broken: [
      { entry: 'syntax', says: /syntax\.py|never closed|invalid syntax/ },
      { entry: 'throws', says: /not today/ },
      { entry: 'missing', says: /missing/ },
      { entry: 'empty', says: /no handler/ },
      { entry: 'suite:nothing', says: /nothing/ },
      { entry: 'suite:handler:cobol', says: /cobol.*plain/ },
    ],
  })
}
