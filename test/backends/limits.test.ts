import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sandbox } from '../../src/backends/index.ts'
import type { Limits } from '../../src/core/index.ts'
import { inside, pythonInside, SHELL } from './inside.ts'
import { openLocal, unavailable } from './local-fixture.ts'

const never = new AbortController().signal

describe('what a local sandbox may use up', { skip: unavailable() }, () => {
  let fixture: Awaited<ReturnType<typeof openLocal>>
  let count = 0

  before(async () => {
    fixture = await openLocal({})
  })
  after(async () => {
    await fixture?.backend.close()
    await fixture?.dispose()
  })

  /** A sandbox with its code, from the start or given later: limits must hold either way. */
  const start = async (limits: Partial<Limits>, way: 'granted' | 'attached'): Promise<Sandbox> => {
    const grant = { ...fixture.grant, limits: { ...fixture.grant.limits, ...limits } }
    const id = `limits-${++count}`
    if (way === 'granted') return fixture.backend.start({ id, launch: SHELL, grant }, never)
    const sandbox = await fixture.backend.start({ id, launch: SHELL }, never)
    // As the pool does: one that cannot be given them is not asked.
    if (!sandbox.fits(grant.limits)) {
      await sandbox.kill()
      return start(limits, 'granted')
    }
    await sandbox.attach(grant)
    return sandbox
  }

  for (const way of ['granted', 'attached'] as const) {
    test(`memory: a hog is ended for its memory (${way})`, async () => {
      const sandbox = await start({ memoryMiB: 64 }, way)
      sandbox.channel.write('exec /usr/bin/python3 -c "x = []\nwhile True: x.append(bytearray(1 << 20))"\n')
      assert.equal((await sandbox.exited).reason, 'memory')
    })

    test(`disk: /tmp is full at its size, and nothing else is touched (${way})`, async () => {
      const sandbox = await start({ tmpMiB: 8, memoryMiB: 128 }, way)
      const { text } = await inside(sandbox, 'head -c 20000000 /dev/zero > /tmp/big; wc -c < /tmp/big')
      assert.match(text, /No space left/)
      assert.ok(Number(text.trim().split('\n').pop()) <= 8 * 1024 * 1024)
      await sandbox.kill()
    })

    test(`processes: a fork bomb stops at the limit, and one kill ends it all (${way})`, async () => {
      const sandbox = await start({ processesMax: 24 }, way)
      const { text } = await pythonInside(
        sandbox,
        `import os, time
made = 0
while True:
  try: pid = os.fork()
  except OSError as e: print(made, e.strerror); break
  if pid == 0:
    os.setsid()
    try:
      if os.fork(): os._exit(0)
    except OSError: pass
    time.sleep(1000)
  made += 1
  if made > 100: print("UNBOUNDED"); break`,
      )
      assert.match(text, /temporarily unavailable/, text)
      await sandbox.kill()
      assert.equal(existsSync(`/proc/${sandbox.pid}`), false)
      assert.equal(await fixture.backend.sweep(), 0)
    })

    test(`open files: there is a limit for each process (${way})`, async () => {
      const sandbox = await start({ openFilesMax: 128 }, way)
      const { text } = await pythonInside(
        sandbox,
        'import os\nn = 0\ntry:\n  while n < 2000: os.dup(0); n += 1\nexcept OSError as e: print(n, e.strerror)',
      )
      assert.match(text, /^1[0-2]\d Too many open files/)
      await sandbox.kill()
    })
  }

  test('memory shared through /dev/shm is bounded too', async () => {
    const sandbox = await start({}, 'granted')
    const { text } = await inside(sandbox, 'head -c 50000000 /dev/zero > /dev/shm/big; wc -c < /dev/shm/big')
    assert.match(text, /No space left/)
    await sandbox.kill()
  })

  test('output: a flood that nobody reads waits, and costs us next to nothing', async () => {
    const sandbox = await start({}, 'granted')
    sandbox.channel.write('(exec 1>&3; exec yes) & exec yes "$(head -c 4000 /dev/zero | tr "\\0" x)" >&2\n')
    await sleep(300)
    assert.ok(sandbox.channel.readableLength < 1 << 20)
    assert.ok(sandbox.stderr.readableLength < 1 << 20)
    await sandbox.kill()
    assert.ok((await sandbox.exited).tail.length <= 4096)
  })

  test('CPU: a hog gets the share it was granted', async t => {
    if (fixture.backend.capabilities().cpuLimit !== 'hard') return t.skip('no cpu controller here')
    const sandbox = await start({ cpuMillicores: 200 }, 'attached')
    await inside(sandbox, 'for i in 1 2 3; do (while :; do :; done) & done')
    const began = performance.now()
    const before = sandbox.usage().cpuMs
    await sleep(1000)
    const share = (sandbox.usage().cpuMs - before) / (performance.now() - began)
    assert.ok(share < 0.45, `three loops with 200 millicores used ${share.toFixed(2)} of a CPU`)
    await sandbox.kill()
  })

  test('usage shows memory, its peak, and a peak that starts afresh', async t => {
    if (fixture.backend.capabilities().memoryLimit !== 'hard') return t.skip('no kernel accounts here')
    const sandbox = await start({}, 'granted')
    await pythonInside(sandbox, 'x = b"x" * 40_000_000')
    assert.ok(sandbox.usage().memoryPeakBytes > 40_000_000)
    // gVisor gives back later what its processes had.
    while (sandbox.usage().memoryBytes >= 40_000_000) await sleep(20)
    sandbox.resetPeak()
    assert.ok(sandbox.usage().memoryPeakBytes < 40_000_000)
    await sandbox.kill()
  })

  test('what fits a generic sandbox can be given to it, and it says beforehand what does not', async () => {
    for (const limits of [
      {},
      { processesMax: 20, openFilesMax: 100 },
      { processesMax: 500, openFilesMax: 8_000 },
    ]) {
      const sandbox = await fixture.backend.start({ id: `fits-${++count}`, launch: SHELL }, never)
      const grant = { ...fixture.grant, limits: { ...fixture.grant.limits, ...limits } }
      const fits = sandbox.fits(grant.limits)
      if (fits) {
        await sandbox.attach(grant)
        assert.equal((await inside(sandbox, 'ulimit -n')).text, `${grant.limits.openFilesMax}\n`)
        assert.equal(sandbox.fits(grant.limits), false)
      } else await assert.rejects(sandbox.attach(grant), { code: 'BACKEND_FAILED' })
      assert.ok(fits || 'processesMax' in limits)
      await sandbox.kill()
    }
  })

  test('less memory than its runtime holds already is refused with a reason', async t => {
    if (fixture.backend.capabilities().memoryLimit !== 'hard') return t.skip('no kernel accounts here')
    const sandbox = await fixture.backend.start({ id: 'fat', launch: SHELL }, never)
    sandbox.channel.write(
      "exec /usr/bin/python3 -c \"import os,time; x = b'x' * 150_000_000; os.write(3, b'k'); time.sleep(60)\"\n",
    )
    for (let got: unknown = null; got === null; got = sandbox.channel.read()) await sleep(10)
    const grant = { ...fixture.grant, limits: { ...fixture.grant.limits, memoryMiB: 16 } }
    await assert.rejects(sandbox.attach(grant), { code: 'BACKEND_FAILED' })
    await sandbox.kill()
  })
})
