import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { testFile, unavailable } from './local-fixture.ts'

const THROW_AWAY_UID = 1_899_999_999
const SUITES = ['local', 'confinement', 'limits', 'network', 'run', 'leftovers', 'sockets']

const skip =
  (process.getuid?.() !== 0 && 'not root: the other tests are unprivileged already') ||
  (!existsSync('/usr/bin/setpriv') && 'setpriv (util-linux) is not installed') ||
  unavailable()

for (const suite of SUITES)
  test(`an ordinary user passes the suite "${suite}" too`, { skip }, () => {
    const user = String(THROW_AWAY_UID)
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { status, stdout } = spawnSync(
      '/usr/bin/setpriv',
      [
        '--reuid',
        user,
        '--regid',
        user,
        '--clear-groups',
        process.execPath,
        '--test-reporter=tap',
        testFile(suite),
      ],
      { encoding: 'utf8', env: { ...env, HOME: '/nonexistent' }, timeout: 120_000 },
    )
    assert.equal(
      status,
      0,
      stdout
        .split('\n')
        .filter(line => !line.trim().startsWith('at '))
        .join('\n')
        .slice(0, 6000),
    )
  })
