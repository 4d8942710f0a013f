import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ContainerBackend, MachineDoors } from '../../src/backends/index.ts'
import { createAddressPolicy } from '../../src/core/index.ts'
import { BUSYBOX, type Engine, engineUnavailable, imageWith, PodmanEngine } from '../support/engine.ts'
import { ENGINES } from '../support/engines.ts'
import { registryUnavailable, TestRegistry } from '../support/registry.ts'

const never = new AbortController().signal
const CREDENTIALS = `${TestRegistry.user}:${TestRegistry.password}`
const LOOPBACK = createAddressPolicy({ allow: ['127.0.0.1'] })

function backendOn(engine: Engine, runPath: string, registries = LOOPBACK): ContainerBackend {
  return new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors(), registries })
}

for (const { name, skip, start } of ENGINES)
  describe(`a private registry, with ${name}`, { skip: skip || registryUnavailable() }, () => {
    let registry: TestRegistry
    let engine: Engine
    let runPath: string
    let backend: ContainerBackend
    let reference: string

    before(async () => {
      registry = await TestRegistry.start()
      engine = await start({ registry: registry.host })
      runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
      backend = backendOn(engine, runPath)
      reference = `${registry.host}/team/app:1`
      await imageWith(engine, reference, { 'etc/mark': 'of the registry' }, ['CMD ["/bin/cat", "/etc/mark"]'])
      await engine.push(reference, CREDENTIALS)
      await engine.command('rmi', reference)
    })
    after(async () => {
      await backend?.close()
      await engine?.dispose()
      await registry?.dispose()
      if (runPath) await rm(runPath, { recursive: true, force: true })
    })

    test('an image is pulled with its credentials while one watches, and pinned by its digest', async () => {
      const told: string[] = []
      const facts = await backend.pull(
        { reference, credentials: CREDENTIALS },
        text => told.push(text),
        never,
      )
      assert.match(facts.pinned, new RegExp(`^${registry.host}/team/app@sha256:[0-9a-f]{64}$`))
      assert.ok(told.length > 0)
      assert.doesNotMatch(told.join('\n'), new RegExp(TestRegistry.password))
    })

    test('without credentials, or with wrong ones, nothing is had, though the engine has the image', async () => {
      for (const credentials of [undefined, `${TestRegistry.user}:wrong`])
        await assert.rejects(
          backend.pull({ reference, credentials }, () => {}, never),
          (error: Problem) => {
            assert.equal(error.code, 'BUILD_FAILED')
            assert.match(error.message, /could not be pulled: .*(auth|credential|denied)/i)
            assert.doesNotMatch(error.message, /wrong/)
            return true
          },
        )
    })

    test('an image that the registry does not have is named', async () => {
      const missing = `${registry.host}/team/none:1`
      const pull = backend.pull({ reference: missing, credentials: CREDENTIALS }, () => {}, never)
      await assert.rejects(pull, { code: 'BUILD_FAILED', message: /team\/none:1/ })
    })

    test('a registry on this machine is refused unless the operator allows it', async () => {
      const strict = backendOn(engine, runPath, createAddressPolicy())
      const { port } = new URL(`http://${registry.host}`)
      for (const host of [registry.host, `localhost:${port}`, `0.0.0.0:${port}`])
        await assert.rejects(
          strict.pull({ reference: `${host}/team/app:1`, credentials: CREDENTIALS }, () => {}, never),
          { code: 'FORBIDDEN', message: /registry-allow/ },
          host,
        )
      await strict.close()
    })
  })

interface Problem extends Error {
  readonly code: string
}

const noSmallDisk = engineUnavailable() || registryUnavailable()

describe('an engine whose disk is small', { skip: noSmallDisk }, () => {
  test('a pull that does not fit says so, and leaves nothing half pulled', async () => {
    const registry = await TestRegistry.start()
    const disk = await mkdtemp(join(tmpdir(), 'atelier-disk-'))
    const big = await PodmanEngine.start({ registry: registry.host })
    let small: PodmanEngine | undefined
    try {
      const reference = `${registry.host}/team/large:1`
      await imageWith(big, reference, { large: randomBytes(48 << 20).toString('base64') }, [])
      await big.push(reference, CREDENTIALS)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'atelier-test', disk])
      small = await PodmanEngine.start({ registry: registry.host, folder: disk })
      const backend = backendOn(small, disk)
      await assert.rejects(
        backend.pull({ reference, credentials: CREDENTIALS }, () => {}, never),
        {
          code: 'STORAGE_FULL',
          message: /does not fit: the container engine's disk is full/,
        },
      )
      assert.match((await backend.pull({ reference: BUSYBOX }, () => {}, never)).pinned, /^sha256:/)
      await backend.close()
    } finally {
      await small?.dispose()
      execFileSync('umount', ['-l', disk])
      await rm(disk, { recursive: true, force: true })
      await big.dispose()
      await registry.dispose()
    }
  })
})
