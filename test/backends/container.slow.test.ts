import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { ContainerBackend, type Launch, MachineDoors } from '../../src/backends/index.ts'
import { backendSuite, GRANT_LIMITS } from '../suites/backend.ts'
import { BUSYBOX, type Engine } from '../support/engine.ts'
import { ENGINES } from '../support/engines.ts'
import { watchLeaks } from '../support/leaks.ts'

const ECHO: Launch = { environment: 'echo', image: BUSYBOX, command: ['/bin/cat'], env: {}, mounts: [] }

for (const { name, skip, start } of ENGINES)
  describe(`containers with ${name}`, { skip }, () => {
    let engine: Engine
    let nothingLeft: (() => Promise<void>) | undefined
    before(async () => {
      engine = await start()
      nothingLeft = await watchLeaks(engine)
    })
    after(async () => {
      try {
        await nothingLeft?.()
      } finally {
        await engine?.dispose()
      }
    })

    backendSuite(`container with ${name}`, async () => {
      const runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
      return {
        backend: new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors() }),
        echo: ECHO,
        grant: { bundlePath: runPath, limits: GRANT_LIMITS, network: 'none' },
        dispose: () => rm(runPath, { recursive: true, force: true }),
      }
    })
  })
