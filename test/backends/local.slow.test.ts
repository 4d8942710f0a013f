import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { Launch } from '../../src/backends/index.ts'
import { backendSuite } from '../suites/backend.ts'
import { inside, SHELL } from './inside.ts'
import { ECHO, noGvisor, openLocal, unavailable } from './local-fixture.ts'

const never = new AbortController().signal
const noUnshare = !existsSync('/usr/bin/unshare') && 'unshare (util-linux) is not installed'

backendSuite('local with bubblewrap', () => openLocal({ isolation: 'bubblewrap' }), { skip: unavailable() })
backendSuite('local with unshare', () => openLocal({ isolation: 'unshare' }), { skip: noUnshare })
backendSuite(
  'local with gVisor',
  async () => ({ ...(await openLocal({})), echo: { ...ECHO, isolation: 'gvisor' } }),
  { skip: noGvisor() },
)
backendSuite('local without a sandbox', () => openLocal({ isolation: 'none' }))

/** A backend that is closed and removed with its test, even when that fails. */
async function openForTest(t: TestContext, isolation: 'bubblewrap' | 'unshare' | 'none') {
  const fixture = await openLocal({ isolation })
  t.after(async () => {
    await fixture.backend.close()
    await fixture.dispose()
  })
  return fixture
}

for (const [how, isolation, tier, skip] of [
  ['bubblewrap', 'bubblewrap', {}, unavailable()],
  ['unshare', 'unshare', {}, noUnshare],
  ['gVisor', 'bubblewrap', { isolation: 'gvisor' }, noGvisor()],
  ['no sandbox', 'none', {}, false],
] as const)
  test(`a program of the bundle starts with the grant and not before, as one that had it from the beginning (${how})`, {
    skip,
  }, async t => {
    const { backend, grant } = await openForTest(t, isolation)
    const launch: Launch = {
      ...SHELL,
      command: ['/function/program', 'as told'],
      startsWithCode: true,
      ...tier,
    }
    const late = await backend.start({ id: 'late', launch }, never)
    assert.equal(late.channel.read(), null, 'what waits says nothing to who speaks with the program')
    // Only now is there anything to run.
    const program = '#!/bin/sh\nexport SAID="$*"\nexec /bin/sh <&3 >&3 2>&3\n'
    await writeFile(join(grant.bundlePath, 'program'), program, { mode: 0o755 })
    await late.attach(grant)
    const cold = await backend.start({ id: 'cold', launch, grant }, never)
    const said = await Promise.all(
      [late, cold].map(async sandbox => {
        const { text } = await inside(
          sandbox,
          'cat "${ATELIER_DIRECTORY:-/function}/name.txt"; echo " $SAID"',
        )
        assert.equal(text, 'bundle-one as told\n')
        const asks =
          'env | cut -d= -f1 | sort; ulimit -n; ulimit -u; grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status'
        return (await inside(sandbox, asks)).text
      }),
    )
    assert.equal(said[0], said[1])
    assert.match(said[0]!, /FROM_THE_MANIFEST/)
  })

test('what waits for a program of the bundle ends when its start is given up, and with its backend', async t => {
  const { backend } = await openForTest(t, 'none')
  const launch: Launch = { ...SHELL, command: ['/function/program'], startsWithCode: true }
  const given = new AbortController()
  const coming = backend.start({ id: 'given-up', launch }, given.signal)
  given.abort(new Error('enough'))
  await assert.rejects(coming, { code: 'BACKEND_FAILED' })
  const waiting = await backend.start({ id: 'waiting', launch }, never)
  await backend.close()
  assert.equal((await waiting.exited).reason, 'killed')
})

describe('the second choice, unshare', { skip: noUnshare }, () => {
  test('it hides the host, the other bundles and all capabilities, and says that it has no filter', async t => {
    const fixture = await openForTest(t, 'unshare')
    const sandbox = await fixture.backend.start({ id: 'second', launch: SHELL }, never)
    await sandbox.attach(fixture.grant)
    assert.equal((await inside(sandbox, 'cat /function/name.txt')).text, 'bundle-one')
    assert.doesNotMatch(
      (await inside(sandbox, 'umount /bundles 2>&1; ls -A /bundles 2>&1')).text,
      /bundle-two/,
    )
    assert.equal((await inside(sandbox, 'ls -d /root /home /sys /.old 2>/dev/null')).text, '')
    for (const path of ['/', '/usr', '/etc', '/function'])
      assert.notEqual((await inside(sandbox, `touch ${path}/mine 2>&1`)).code, 0, path)
    const { text } = await inside(sandbox, 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status; ls /proc/self/fd')
    assert.match(text, /CapPrm:\s+0{16}\n/)
    assert.match(text, /CapEff:\s+0{16}\n/)
    assert.match(text, /CapBnd:\s+0{16}\n/)
    assert.match(text, /NoNewPrivs:\s+1/)
    assert.match(text, /\n0\n1\n2\n3\n(4|10)?\n?/)
    const { seccomp, notes } = fixture.backend.capabilities()
    assert.equal(seccomp, false)
    assert.match(notes.join('\n'), /No system call filter/)
  })
})

describe('no sandbox at all', () => {
  test('it is never chosen by itself, and says in capital letters what it is', async t => {
    const fixture = await openForTest(t, 'none')
    const { tier, notes } = fixture.backend.capabilities()
    assert.equal(tier, 'none')
    assert.match(notes.join('\n'), /NOT isolated/)
  })

  test('code finds its bundle by ATELIER_DIRECTORY, has a /tmp of its own, and its children end with it', async t => {
    const fixture = await openForTest(t, 'none')
    const sandbox = await fixture.backend.start({ id: 'bare', launch: SHELL }, never)
    await sandbox.attach(fixture.grant)
    assert.equal((await inside(sandbox, 'cat "$ATELIER_DIRECTORY/name.txt"')).text, 'bundle-one')
    const home = (await inside(sandbox, 'echo "$HOME"')).text.trim()
    assert.ok(home.startsWith(fixture.home))
    const child = (await inside(sandbox, 'setsid sleep 1000 >/dev/null 2>&1 & echo $!')).text.trim()
    assert.ok(existsSync(`/proc/${child}`))
    await sandbox.kill()
    assert.equal(existsSync(`/proc/${child}/exe`), false)
    assert.equal(existsSync(home), false)
  })
})
