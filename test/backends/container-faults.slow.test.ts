import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, describe, test } from 'node:test'
import {
  ContainerBackend,
  type Grant,
  type Launch,
  MachineDoors,
  type Sandbox,
} from '../../src/backends/index.ts'
import { createAddressPolicy } from '../../src/core/index.ts'
import { GRANT_LIMITS } from '../suites/backend.ts'
import { BUSYBOX, engineUnavailable, imageWith, PodmanEngine } from '../support/engine.ts'
import { until } from '../support/server-process.ts'

const never = new AbortController().signal

describe('containers that misbehave, and engines', { skip: engineUnavailable() }, () => {
  let engine: PodmanEngine
  let runPath: string
  let grant: Grant
  let backend: ContainerBackend
  let count = 0

  const registries = createAddressPolicy({ allow: ['127.0.0.1'] })
  const open = () =>
    new ContainerBackend({ runPath, engine: engine.socket, doors: new MachineDoors(), registries })
  const start = (command: readonly string[], limits = {}): Promise<Sandbox> => {
    const launch: Launch = { environment: 'test', image: BUSYBOX, command, env: {}, mounts: [] }
    const given = { ...grant, limits: { ...GRANT_LIMITS, ...limits } }
    return backend.start(
      { id: `fault-${++count}`, launch, grant: given, process: { env: { SECRET: 'a=b' } } },
      never,
    )
  }

  before(async () => {
    engine = await PodmanEngine.start()
    runPath = await mkdtemp(join(tmpdir(), 'atelier-run-'))
    grant = { bundlePath: runPath, limits: GRANT_LIMITS, network: 'none' }
    backend = open()
  })
  afterEach(async () => {
    await until('no container is left', async () => (await engine.containers()).length === 0)
  })
  after(async () => {
    await backend?.close()
    await engine?.dispose()
    if (runPath) await rm(runPath, { recursive: true, force: true })
  })

  test('a program runs without rights, on a read-only file system, with nothing but loopback', async () => {
    const script = `id -u; cat /proc/self/status; touch /mine || echo sealed; touch /tmp/mine && echo tmp; cat /proc/net/dev; echo $SECRET`
    const sandbox = await start(['/bin/sh', '-c', script])
    const said = await text(sandbox.stdout)
    await sandbox.exited
    assert.match(said, /^65534\n/)
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) assert.match(said, new RegExp(`${set}:\\s+0{16}\\n`))
    assert.match(said, /NoNewPrivs:\s+1/)
    assert.match(said, /Seccomp:\s+2/)
    assert.match(said, /sealed\ntmp\n/)
    assert.deepEqual(
      said.match(/^ +\w+:/gm)?.map(each => each.trim()),
      ['lo:'],
    )
    assert.match(said, /a=b\n$/)
  })

  test('an image’s user counts unless it is root, by whatever name', async () => {
    const users = { 'etc/passwd': 'toor:x:0:0::/:/bin/sh\nworker:x:1234:1234::/:/bin/sh\n' }
    for (const user of ['toor', 'worker'])
      await imageWith(engine, `localhost/${user}:1`, users, [`USER ${user}`])
    const startAs = (user: string) => {
      const image = `localhost/${user}:1`
      const command = ['/bin/sh', '-c', 'id -u; exec sleep 60']
      const launch: Launch = { environment: 'test', image, command, env: {}, mounts: [] }
      return backend.start({ id: `as-${user}`, launch, grant, process: { env: {} } }, never)
    }
    const sandbox = await startAs('worker')
    assert.equal(String((await once(sandbox.stdout, 'data'))[0]), '1234\n')
    await sandbox.kill()
    await assert.rejects(startAs('toor'), { code: 'FUNCTION_LOAD_FAILED', message: /"toor", which is root/ })
  })

  test('one that ends at once tells its code and its last words', async () => {
    const sandbox = await start(['/bin/sh', '-c', 'echo sorry >&2; exit 3'])
    sandbox.stderr.resume()
    const exit = await sandbox.exited
    assert.equal(exit.code, 3)
    assert.equal(exit.reason, 'exit')
    assert.equal(exit.tail, 'sorry\n')
  })

  test('one that takes too much memory is killed for it', async () => {
    const sandbox = await start(['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'], {
      memoryMiB: 32,
    })
    const { signal, reason } = await sandbox.exited
    // Whether the engine knows why depends on its version and the machine's control groups.
    assert.equal(signal, 'SIGKILL')
    assert.notEqual(reason, 'killed')
  })

  test('one that ignores SIGTERM is killed', async () => {
    const sandbox = await start(['/bin/sh', '-c', 'trap "" TERM; echo up; while true; do sleep 1; done'])
    await new Promise(resolve => sandbox.stdout.once('data', resolve))
    sandbox.terminate()
    await sandbox.kill()
    assert.equal((await sandbox.exited).reason, 'killed')
  })

  test('one whose program is missing is the function’s fault, one without an image as well', async () => {
    await assert.rejects(start(['/bin/missing']), { code: 'FUNCTION_LOAD_FAILED' })
    const launch: Launch = {
      environment: 'test',
      image: 'localhost/none:1',
      command: [],
      env: {},
      mounts: [],
    }
    await assert.rejects(backend.start({ id: 'none', launch, grant, process: { env: {} } }, never), {
      code: 'FUNCTION_LOAD_FAILED',
    })
  })

  test('an image that does not exist, or that is no name, is refused when it is pulled', async () => {
    const pull = (reference: string) => backend.pull({ reference }, () => {}, never)
    await assert.rejects(pull('localhost/none:1'), { code: 'BUILD_FAILED' })
    await assert.rejects(pull('127.0.0.1:9/none:1'), { code: 'BUILD_FAILED', message: /cannot be reached/ })
    const { pinned } = await pull(BUSYBOX)
    assert.match(pinned, /^sha256:[0-9a-f]{64}$/)
    for (const bad of [pinned, pinned.slice(7), '', '../x', 'UPPER', 'a b'])
      await assert.rejects(pull(bad), { code: 'INVALID_INPUT' }, bad)
  })

  test('what a crashed server left is removed by the next one, and nothing of others', async () => {
    await engine.command('create', '--name', 'stranger', '--ulimit=host', '--network=none', BUSYBOX, 'true')
    await start(['/bin/sleep', '1000'])
    const next = open() // knows nothing of the first one's, as after kill -9
    assert.equal(await next.sweep(), 1)
    await next.close()
    assert.equal((await engine.command('ps', '-a', '--format', '{{.Names}}')).trim(), 'stranger')
    await engine.command('rm', 'stranger')
  })

  test('an engine that is down is the platform’s fault, and starts work again when it is back', async () => {
    const lost = await start(['/bin/sleep', '1000'])
    await engine.down()
    const { error } = await lost.exited
    assert.equal(error?.code, 'BACKEND_FAILED')
    assert.match(error.message, /engine went away/)
    await assert.rejects(start(['/bin/true']), { code: 'BACKEND_FAILED', message: /does not answer/ })
    await engine.up()
    const sandbox = await start(['/bin/sh', '-c', 'echo back'])
    assert.equal(await text(sandbox.stdout), 'back\n')
    await sandbox.exited
    const next = open()
    await next.sweep()
    await next.close()
  })
})
