import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { ContainerBackend, type Grant, type Launch, MachineDoors } from '../../src/backends/index.ts'
import { backendSuite, GRANT_LIMITS } from '../suites/backend.ts'
import { DockerEngine, dockerUnavailable, GVISOR_ARGS } from '../support/docker.ts'
import { BUSYBOX, programPath } from '../support/engine.ts'
import { watchLeaks } from '../support/leaks.ts'

const RUNTIMES = [
  { runtime: 'crun', args: [], kernel: /^Linux version (?!4\.4\.0 )/, lacks: false },
  { runtime: 'runsc', args: GVISOR_ARGS, kernel: /^Linux version 4\.4\.0 /, lacks: false },
  {
    runtime: 'kata-runtime',
    args: [],
    kernel: /^Linux version /,
    lacks: !existsSync('/dev/kvm') && 'Kata runs virtual machines, and this machine has no /dev/kvm',
  },
] as const

const never = new AbortController().signal

for (const { runtime, args, kernel, lacks } of RUNTIMES) {
  const skip =
    lacks ||
    dockerUnavailable() ||
    (!programPath(runtime) && `${runtime} is not installed (apt install ${runtime})`)
  describe(`containers with the runtime ${runtime}`, { skip }, () => {
    let engine: DockerEngine
    let nothingLeft: (() => Promise<void>) | undefined
    before(async () => {
      engine = await DockerEngine.start({ runtimes: { [runtime]: args }, isPure: true })
      nothingLeft = await watchLeaks(engine)
    })
    after(async () => {
      try {
        await nothingLeft?.()
      } finally {
        await engine?.dispose()
      }
    })

    const place = async (): Promise<{
      backend: ContainerBackend
      grant: Grant
      dispose(): Promise<void>
    }> => {
      const runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
      return {
        backend: new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors(), runtime }),
        grant: { bundlePath: runPath, limits: GRANT_LIMITS, network: 'none' },
        dispose: () => rm(runPath, { recursive: true, force: true }),
      }
    }
    const running = (command: readonly string[]): Launch => ({
      environment: 'test',
      image: BUSYBOX,
      command,
      env: {},
      mounts: [],
    })

    backendSuite(`container with ${runtime}`, async () => ({
      ...(await place()),
      echo: running(['/bin/cat']),
    }))

    test('its program runs on the kernel of the runtime, without rights', async () => {
      const { backend, grant, dispose } = await place()
      const script = 'cat /proc/version; id -u; touch /mine || echo sealed'
      const launch = running(['/bin/sh', '-c', script])
      try {
        const sandbox = await backend.start({ id: 'seen', launch, grant, process: { env: {} } }, never)
        const said = await text(sandbox.stdout)
        assert.match(said, kernel)
        assert.match(said, /\n65534\nsealed\n$/)
      } finally {
        await backend.close()
        await dispose()
      }
    })

    test('a socket in its file system is refused where nobody can reach it', {
      skip: runtime !== 'runsc' && 'only gVisor keeps files to itself',
    }, async () => {
      const { backend, grant, dispose } = await place()
      const start = backend.start(
        { id: 'folder', launch: running(['/bin/true']), grant, process: { env: {}, folder: '/tmp/iofs' } },
        never,
      )
      await assert.rejects(start, { code: 'BACKEND_FAILED', message: /contract fn .* gVisor/ })
      await backend.close()
      await dispose()
    })
  })
}

test('a runtime that the engine does not know is told', { skip: dockerUnavailable() }, async () => {
  const engine = await DockerEngine.start()
  const runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
  const doors = new MachineDoors()
  const backend = new ContainerBackend({ runPath, engine: engine.socket, doors, runtime: 'kata' })
  try {
    const launch: Launch = {
      environment: 'test',
      image: BUSYBOX,
      command: ['/bin/true'],
      env: {},
      mounts: [],
    }
    await assert.rejects(backend.start({ id: 'kata', launch }, never), {
      code: 'BACKEND_FAILED',
      message: /does not know the runtime/,
    })
  } finally {
    await backend.close()
    await engine.dispose()
    await rm(runPath, { recursive: true, force: true })
  }
})
