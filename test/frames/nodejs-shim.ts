import { join } from 'node:path'
import type { ShimUnderTest } from '../suites/frames.ts'
import { spawnShim } from './spawn.ts'

const shim = join(import.meta.dirname, '../../src/environments/nodejs/shim/main.mjs')

const ARGUMENTS = ['--disable-warning=ExperimentalWarning', shim]

/** The Node shim for the suite of frames, started with these variables. */
export function nodejsShim(env: NodeJS.ProcessEnv = {}): ShimUnderTest {
  return {
    spawn: () => spawnShim(process.execPath, ARGUMENTS, env),
    directory: join(import.meta.dirname, '../fixtures/frames/nodejs'),
    entry: 'suite.mjs',
    broken: [
      { entry: 'syntax.mjs', says: /Unexpected.*\(syntax\.mjs:1\)/ },
      { entry: 'throws.mjs', says: /not today/ },
      { entry: 'missing.mjs', says: /missing\.mjs/ },
      { entry: 'empty.mjs', says: /exports no handler/ },
      { entry: 'suite.mjs#nothing', says: /nothing/ },
      { entry: 'suite.mjs:cobol', says: /cobol.*web/ },
    ],
  }
}
