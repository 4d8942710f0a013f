import { join } from 'node:path'
import { test } from 'node:test'
import { phpEnvironment } from '../../src/environments/index.ts'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/php/shim/shim.php')
const status = await phpEnvironment.probe()

if (!status.ready) test('the php shim keeps to frames', { skip: status.reason }, () => {})
else {
  const [program = '', ...args] = status.launch.command
  framesSuite('php', {
    spawn: () => spawnShim(program, [...args.slice(0, -1), shim]),
    directory: join(import.meta.dirname, '../fixtures/frames/php'),
    entry: 'suite.php:handler',
    broken: [
      { entry: 'syntax.php', says: /syntax error.*\(syntax\.php:\d+\)/ },
      { entry: 'throws.php', says: /not today/ },
      { entry: 'missing.php', says: /missing/ },
      { entry: 'empty.php', says: /no handler.*It has: one, two/ },
      { entry: 'suite.php:nothing', says: /nothing/ },
    ],
  })
}
