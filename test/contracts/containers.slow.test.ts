import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { ContainerBackend, MachineDoors } from '../../src/backends/index.ts'
import { LIMITS_DEFAULT } from '../../src/core/index.ts'
import { nodejsEnvironment } from '../../src/environments/index.ts'
import { copyPrograms } from '../suites/contract/bench.ts'
import { contractsUnderTest } from '../suites/contract/programs.ts'
import type { Place } from '../suites/contract/under-test.ts'
import { contractSuite } from '../suites/contract.ts'
import { DockerEngine, dockerUnavailable, GVISOR_ARGS } from '../support/docker.ts'
import { busyboxInto, type Engine, nodeInto, programPath } from '../support/engine.ts'
import { ENGINES } from '../support/engines.ts'
import { watchLeaks } from '../support/leaks.ts'

const IMAGE = 'localhost/atelier-test/contracts:1'

const GVISOR = {
  name: 'Docker and gVisor',
  skip: dockerUnavailable() || (!programPath('runsc') && 'runsc is not installed (apt install runsc)'),
  start: () => DockerEngine.start({ runtimes: { runsc: GVISOR_ARGS }, isPure: true }),
  runtime: 'runsc',
  // One that is connected to, one that listens before the program runs, and one on stdin and stdout.
  contracts: ['http', 'lambda', 'stdio'],
}
const PLACES: readonly ((typeof ENGINES)[number] & Partial<Pick<typeof GVISOR, 'runtime' | 'contracts'>>)[] =
  [...ENGINES, GVISOR]

for (const { name, skip, start, runtime, contracts } of PLACES)
  describe(`contracts of images, with ${name}`, { skip }, () => {
    let engine: Engine
    let nothingLeft: (() => Promise<void>) | undefined
    before(async () => {
      engine = await start()
      await imageOfPrograms(engine)
      nothingLeft = await watchLeaks(engine)
    })
    after(async () => {
      try {
        await nothingLeft?.()
      } finally {
        await engine?.dispose()
      }
    })

    const place = async (): Promise<Place> => {
      const home = await mkdtemp(join(tmpdir(), 'atelier-contract-'))
      const bundlePath = join(home, 'bundle')
      await copyPrograms(bundlePath)
      const backend = new ContainerBackend({
        runPath: home,
        engine: engine.socket,
        doors: new MachineDoors(),
        runtime,
      })
      return {
        backend,
        grant: { bundlePath, limits: LIMITS_DEFAULT, network: 'none' },
        launch: async (contract, entry) => {
          const { command } = nodejsEnvironment.commandFor!(contract, entry)!
          return { environment: 'container', image: IMAGE, command, env: {}, mounts: [] }
        },
        async close() {
          await backend.close()
          await rm(home, { recursive: true, force: true })
        },
      }
    }
    for (const under of contractsUnderTest())
      if (contracts?.includes(under.name) ?? true) contractSuite({ ...under, place })
  })

/** The suite's programs, and a Node to run them. */
async function imageOfPrograms(engine: Engine): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-image-'))
  await busyboxInto(folder)
  await nodeInto(folder)
  await copyPrograms(join(folder, 'function'))
  await engine.image(IMAGE, folder, [])
  await rm(folder, { recursive: true, force: true })
}
