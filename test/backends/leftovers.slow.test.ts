import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLocalBackend } from '../../src/backends/index.ts'
import { isAlive } from '../../src/backends/local/procfs.ts'
import { systemClock } from '../../src/core/index.ts'
import { openLocal, unavailable } from './local-fixture.ts'

for (const isolation of ['auto', 'unshare'] as const)
  describe(`after kill -9 of the server, isolation ${isolation}`, { skip: unavailable() }, () => {
    test('its sandboxes end by themselves, and the next server sweeps what is left', async () => {
      const fixture = await openLocal({})
      await fixture.backend.close()
      const paths = { runPath: `${fixture.home}/run`, bundlesPath: `${fixture.home}/bundles` }
      const server = spawn(
        process.execPath,
        [`${import.meta.dirname}/doomed-server.ts`, JSON.stringify({ ...paths, isolation })],
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
      for (const pid of pids) {
        for (let tries = 0; isAlive(pid) && tries < 1_000; tries++) await sleep(10)
        assert.equal(isAlive(pid), false)
      }

      const next = await openLocalBackend({ ...paths, isolation: 'auto', clock: systemClock })
      assert.equal(await next.sweep(), 2)
      assert.equal(await next.sweep(), 0)
      await next.close()
      await fixture.dispose()
    })
  })
