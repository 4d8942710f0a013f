import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Attendant, USUAL_PLACES } from '../../src/backends/local/attach.ts'
import { inside, SHELL } from './inside.ts'
import { openLocal, unavailable } from './local-fixture.ts'

const identity = process.getuid?.() === 0 ? ({ kind: 'own', uid: 0 } as const) : ({ kind: 'mapped' } as const)

for (const tool of ['perl', 'mount'] as const) {
  const skip = unavailable() || (tool === 'perl' && !existsSync('/usr/bin/perl') && 'Perl is not installed')
  test(`a bundle is shown by ${tool}, with the size of /tmp; one that is not there is told`, {
    skip,
  }, async t => {
    const { backend, grant, dispose } = await openLocal({ isolation: 'bubblewrap' })
    t.after(async () => {
      await backend.close()
      await dispose()
    })
    const sandbox = await backend.start({ id: 'shown', launch: SHELL }, AbortSignal.timeout(20_000))
    assert.equal((await inside(sandbox, 'cat /function/bundle-one/name.txt')).text, 'bundle-one')
    const { bundlePath } = grant
    const bundlesPath = join(bundlePath, '..')
    const show = (path: string, tmpBytes?: number) =>
      new Attendant(sandbox.pid!, identity, USUAL_PLACES, tool).show({
        bundlesPath,
        bundlePath: path,
        tmpBytes,
      })
    await assert.rejects(show(join(bundlesPath, 'none')), { code: 'BACKEND_FAILED' })
    await show(bundlePath, 8 * 1024 * 1024)
    assert.equal((await inside(sandbox, 'cat /function/name.txt')).text, 'bundle-one')
    assert.match((await inside(sandbox, 'df --output=size /tmp')).text, /\n *8192\n/)
    const { text } = await inside(sandbox, 'grep -E " /(function|tmp) " /proc/self/mounts')
    assert.equal(text.match(/nosuid,nodev/g)?.length, text.trim().split('\n').length, text)
    await assert.rejects(show(bundlePath), { code: 'BACKEND_FAILED' }, 'the others are hidden')
  })
}
