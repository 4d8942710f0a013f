import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { inside, SHELL } from './inside.ts'
import { noGvisor, openLocal, testFile, unavailable } from './local-fixture.ts'

const SUITES = ['confinement', 'limits', 'network', 'sockets', 'leftovers']
const THROW_AWAY_UID = '1899999998'
const PATIENCE_MS = 300_000

const missing = noGvisor() || unavailable()
const notRoot = process.getuid?.() !== 0 && 'not root: the other tests are unprivileged already'
const noSetpriv = !existsSync('/usr/bin/setpriv') && 'setpriv (util-linux) is not installed'

for (const suite of SUITES) {
  test(`gVisor passes the suite "${suite}" of the local backend too`, { skip: missing }, () => run(suite, []))
  test(
    `gVisor passes the suite "${suite}" of an ordinary user's server`,
    {
      skip: missing || notRoot || noSetpriv,
    },
    () =>
      run(suite, [
        '/usr/bin/setpriv',
        '--reuid',
        THROW_AWAY_UID,
        '--regid',
        THROW_AWAY_UID,
        '--clear-groups',
      ]),
  )
}

describe('what is gVisor’s own', { skip: missing }, () => {
  const never = new AbortController().signal
  const gvisorShell = { ...SHELL, isolation: 'gvisor' } as const
  let fixture: Awaited<ReturnType<typeof openLocal>>
  before(async () => {
    fixture = await openLocal({})
  })
  after(async () => {
    await fixture?.backend.close()
    await fixture?.dispose()
  })

  test('the kernel that the code sees is not the machine’s', async () => {
    const sandbox = await fixture.backend.start({ id: 'kernel', launch: gvisorShell }, never)
    const { text } = await inside(sandbox, 'cat /proc/version')
    assert.match(text, /^Linux version 4\.4\.0/)
    await sandbox.kill()
  })

  test('a bundle is shown though the code has looked for it before', async () => {
    const sandbox = await fixture.backend.start({ id: 'early', launch: gvisorShell }, never)
    assert.notEqual(
      (await inside(sandbox, 'cd /function && cat /function/name.txt bundle-one/name.txt')).code,
      0,
    )
    await sandbox.attach(fixture.grant)
    assert.equal((await inside(sandbox, 'cat /function/name.txt')).text, 'bundle-one')
    assert.notEqual((await inside(sandbox, 'cat bundle-one/name.txt bundle-two/name.txt')).code, 0)
    await sandbox.kill()
  })

  test('a command that listens to SIGTERM hears it', async () => {
    const sandbox = await fixture.backend.start(
      { id: 'term', launch: gvisorShell, grant: fixture.grant },
      never,
    )
    await inside(sandbox, 'trap "exit 7" TERM')
    sandbox.terminate()
    sandbox.channel.write('while :; do sleep 0.1; done\n')
    assert.equal((await sandbox.exited).code, 7)
  })

  test('stdin, environment and channel of a held command share a way and do not mix', async () => {
    const sandbox = await fixture.backend.start(
      {
        id: 'stdin',
        launch: { ...gvisorShell, command: ['/bin/sh', '-c', 'echo "$GIVEN"; cat; echo end'] },
        grant: fixture.grant,
        process: { env: { GIVEN: 'no' }, stdin: true, held: true },
      },
      never,
    )
    let text = ''
    sandbox.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    sandbox.begin({ GIVEN: `'two'\nlines` })
    sandbox.stdin?.end('what was said\n')
    assert.equal((await sandbox.exited).code, 0)
    assert.equal(text, `'two'\nlines\nwhat was said\nend\n`)
  })

  test('the server says what is known of it before and after it was tried', async () => {
    const fresh = await openLocal({})
    assert.match(fresh.backend.capabilities().notes.join('\n'), /runsc is installed, and is tried when/)
    await fresh.backend.check?.({ isolation: 'gvisor' })
    assert.match(fresh.backend.capabilities().notes.join('\n'), /run in gVisor \(runsc, platform \w+\)/)
    assert.equal(fresh.backend.capabilities({ ...SHELL, isolation: 'gvisor' }).tier, 'gvisor')
    await fresh.backend.close()
    await fresh.dispose()
  })
})

test('where there is no sandbox at all, gVisor is refused with the reason', async () => {
  const { backend, dispose } = await openLocal({ isolation: 'none' })
  await assert.rejects(async () => backend.check?.({ isolation: 'gvisor' }), /--isolation none/)
  await backend.close()
  await dispose()
})

function run(suite: string, as: readonly string[]): void {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const command = [...as, process.execPath, '--test-reporter=tap', testFile(suite)]
  const { status, stdout } = spawnSync('/usr/bin/env', command, {
    encoding: 'utf8',
    env: { ...env, HOME: '/nonexistent', ATELIER_TEST_ISOLATION: 'gvisor' },
    timeout: PATIENCE_MS,
  })
  const told = stdout.split('\n').filter(line => !line.trim().startsWith('at '))
  assert.equal(status, 0, told.join('\n').slice(0, 6000))
}
