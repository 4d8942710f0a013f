import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLocalBackend } from '../../src/backends/index.ts'
import { isAlive } from '../../src/backends/local/procfs.ts'
import { systemClock } from '../../src/core/index.ts'
import { openLocal, unavailable } from './local-fixture.ts'

describe('after kill -9 of the server', { skip: unavailable() }, () => {
  test('its sandboxes are gone, and the next server sweeps what is left', async () => {
    const fixture = await openLocal({})
    await fixture.backend.close()
    const paths = { runPath: `${fixture.home}/run`, bundlesPath: `${fixture.home}/bundles` }
    const server = spawn(
      process.execPath,
      [`${import.meta.dirname}/doomed-server.ts`, JSON.stringify(paths)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string]
    const pids = JSON.parse(line) as number[]
    assert.equal(pids.length, 2)
    for (const pid of pids) assert.ok(isAlive(pid))
    server.kill('SIGKILL')
    await once(server, 'exit')

    const next = await openLocalBackend({ ...paths, isolation: 'auto', clock: systemClock })
    const swept = await next.sweep()
    assert.equal(swept, 2)
    for (const pid of pids) {
      for (let tries = 0; isAlive(pid) && tries < 100; tries++) await sleep(10)
      assert.equal(isAlive(pid), false)
    }
    assert.equal(await next.sweep(), 0)
    await next.close()
    await fixture.dispose()
  })
})
