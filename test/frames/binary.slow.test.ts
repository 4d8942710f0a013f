import { join } from 'node:path'
import { test } from 'node:test'
import { binaryEnvironment } from '../../src/environments/index.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/python/shim.py')
const status = await binaryEnvironment.probe()

if (!status.ready) test('the runner of executables keeps to frames', { skip: status.reason }, () => {})
else {
  const [program = '', ...args] = status.launch.command
  framesSuite('binary', {
    spawn: () => spawnShim(program, [...args.slice(0, -1), shim], status.launch.env),
    directory: join(import.meta.dirname, '../fixtures/frames/binary'),
    entry: 'suite',
    lacks: ['webSocket', 'exit', 'stdout'],
    broken: [{ entry: 'missing', says: /missing is no file that can be run/ }],
  })
}
