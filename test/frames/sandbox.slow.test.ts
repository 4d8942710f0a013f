import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openLocalBackend, type Sandbox } from '../../src/backends/index.ts'
import { framesContract } from '../../src/contracts/index.ts'
import { LIMITS_DEFAULT, systemClock } from '../../src/core/index.ts'
import { environments } from '../../src/environments/index.ts'
import { loadSpec, recorder } from './peer.ts'

const noSandbox = existsSync('/usr/bin/bwrap') ? false : 'bubblewrap is not installed'
const entries = { nodejs: 'suite.mjs', python: 'suite', java: 'Suite', dotnet: 'Suite' } as const

// The others' fixtures are compiled first.
for (const environment of environments.filter(({ name }) => name in entries)) {
  const status = await environment.probe()
  const skip = noSandbox || (status.ready ? false : status.reason)
  for (const generic of [true, false]) {
    const how = generic ? 'as a generic instance that gets its code later' : 'with its code from the start'
    test(`${environment.name} runs in a local sandbox, ${how}`, { skip }, async t => {
      assert.ok(status.ready)
      const home = await mkdtemp(join(tmpdir(), 'atelier-frames-'))
      const bundlePath = join(home, 'bundles/suite')
      await cp(join(import.meta.dirname, '../fixtures/frames', environment.name), bundlePath, {
        recursive: true,
      })
      await chmod(join(home, 'bundles'), 0o711) // as in a server: nobody inside may list others' code
      const backend = await openLocalBackend({
        runPath: join(home, 'run'),
        bundlesPath: join(home, 'bundles'),
        isolation: 'auto',
        clock: systemClock,
      })
      t.after(async () => {
        await backend.close()
        await rm(home, { recursive: true, force: true })
      })
      const grant = { bundlePath, limits: LIMITS_DEFAULT, network: 'none' } as const
      const launch = {
        ...status.launch,
        env: { ...status.launch.env, ...(generic && { ATELIER_GENERIC: '1' }) },
      }
      const spec = { id: 'instance-1', launch, ...(generic ? {} : { grant }) }
      const sandbox: Sandbox = await backend.start(spec, AbortSignal.timeout(20_000))
      const link = framesContract.prepare().open(sandbox, { onLog: () => {}, onClose: () => {} })
      await link.ready
      if (generic) await sandbox.attach(grant)
      const entry = entries[environment.name as keyof typeof entries]
      await link.load({ ...loadSpec, entry, config: { GREETING: 'hi' }, secrets: { KEY: 'k' } })
      const sink = recorder()
      const get = { id: 'i', method: 'GET', headers: [], deadline: Date.now() + 10_000, body: null }
      link.invoke({ ...get, target: '/env' }, sink)
      await sink.over
      assert.deepEqual(JSON.parse(String(sink.said[1]?.[1])), {
        greeting: 'hi',
        key: 'k',
        envKey: 'k',
        platform: [],
        version: 1,
      })
      link.drain()
      assert.equal((await sandbox.exited).code, 0)
    })
  }
}
