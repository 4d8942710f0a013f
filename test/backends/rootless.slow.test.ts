import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ContainerBackend, MachineDoors } from '../../src/backends/index.ts'
import { GRANT_LIMITS } from '../suites/backend.ts'
import { BUSYBOX, PodmanEngine, rootlessUnavailable } from '../support/engine.ts'

const isVersion2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
const skip =
  rootlessUnavailable() ||
  (isVersion2 &&
    'control groups of version 2 are here: whether an ordinary user has some is up to the machine')

test('an engine of an ordinary user is refused where it cannot hold limits, and leaves nothing', {
  skip,
}, async () => {
  const engine = await PodmanEngine.start({ isRootless: true })
  const runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
  const backend = new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors() })
  try {
    assert.match(await backend.version(), /Podman/)
    const never = new AbortController().signal
    assert.match((await backend.pull({ reference: BUSYBOX }, () => {}, never)).pinned, /^sha256:/)
    const command = ['/bin/sleep', '1000']
    const launch = { environment: 'test', image: BUSYBOX, command, env: {}, mounts: [] }
    const grant = { bundlePath: runPath, limits: GRANT_LIMITS, network: 'none' } as const
    await assert.rejects(backend.start({ id: 'one', launch, grant, process: { env: {} } }, never), {
      code: 'BACKEND_FAILED',
      message: /does not hold its limits of memory, processes, processor time; .* version 2/,
    })
    assert.deepEqual(await engine.containers(), [])
  } finally {
    await backend.close()
    await engine.dispose()
    await rm(runPath, { recursive: true, force: true })
  }
})

test('an engine of an ordinary user runs functions where control groups are delegated to it', {
  skip: isVersion2
    ? 'whether control groups are delegated to an ordinary user is up to the machine'
    : 'control groups of version 1 are here, which cannot be delegated',
})
