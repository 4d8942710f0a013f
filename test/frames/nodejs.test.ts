import { join } from 'node:path'
import { framesSuite } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/nodejs/shim/main.mjs')

framesSuite('nodejs', {
  spawn: () => spawnShim(process.execPath, ['--disable-warning=ExperimentalWarning', shim]),
  directory: join(import.meta.dirname, '../fixtures/frames/nodejs'),
  entry: 'suite.mjs',
  broken: [
    { entry: 'syntax.mjs', says: /Unexpected/ },
    { entry: 'throws.mjs', says: /not today/ },
    { entry: 'missing.mjs', says: /missing\.mjs/ },
    { entry: 'empty.mjs', says: /exports no handler/ },
    { entry: 'suite.mjs#nothing', says: /nothing/ },
    { entry: 'suite.mjs:cobol', says: /cobol.*web/ },
  ],
})
