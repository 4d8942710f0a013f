import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { ContainerBackend, type Launch, MachineDoors } from '../../src/backends/index.ts'
import { backendSuite, GRANT_LIMITS } from '../suites/backend.ts'
import { BUSYBOX, engineUnavailable, TestEngine } from '../support/engine.ts'

const missing = engineUnavailable()

let engine: TestEngine
before(async () => {
  if (missing === false) engine = await TestEngine.start()
})
after(async () => {
  await engine?.dispose()
})

const ECHO: Launch = { environment: 'echo', image: BUSYBOX, command: ['/bin/cat'], env: {}, mounts: [] }

backendSuite(
  'container with Podman',
  async () => {
    const runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
    return {
      backend: new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors() }),
      echo: ECHO,
      grant: { bundlePath: runPath, limits: GRANT_LIMITS, network: 'none' },
      dispose: () => rm(runPath, { recursive: true, force: true }),
    }
  },
  { skip: missing },
)
