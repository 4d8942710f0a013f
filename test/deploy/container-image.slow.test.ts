/** deploy/container: the image is built from the repository on a system of this machine's own packages, and runs as docs/container-image.md says. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { exampleOf } from '../support/doc-example.ts'
import { type Engine, engineUnavailable, PodmanEngine, programPath } from '../support/engine.ts'
import { until } from '../support/server-process.ts'
import { packageOf, systemImage, systemImageUnavailable } from '../support/system-image.ts'

const ROOT = join(import.meta.dirname, '../..')
const BASE = 'localhost/atelier-test/system:1'
const IMAGE = 'localhost/atelier-test/atelier:1'
const PACKAGES = [
  'bubblewrap',
  'ca-certificates',
  'iproute2',
  'libstdc++6',
  'mount',
  'python3',
  'python3-pip',
  'slirp4netns',
  ...['npm', 'node'].flatMap(name => packageOf(name) ?? []),
]
const UP_MS_MAX = 180_000
const SLOW =
  "export default async () => { await new Promise(done => setTimeout(done, 2_000)); return 'at last' }"

const npm = programPath('npm')
const skip =
  engineUnavailable() ||
  systemImageUnavailable(PACKAGES) ||
  (npm === undefined && 'npm is not installed') ||
  false

describe('the container image, built and run by Podman', { skip }, () => {
  let engine: Engine
  let started = 0
  before(async () => {
    engine = await PodmanEngine.start()
    await systemImage(engine, BASE, { packages: PACKAGES, folders: [dirname(dirname(realpathSync(npm!)))] }, [
      // What npm has fetched for this repository is not fetched again.
      'ENV npm_config_cache=/npm',
      'ENV npm_config_prefer_offline=true',
      'ENV npm_config_cafile=/etc/ssl/certs/ca-certificates.crt',
    ])
    const { stdout: cache } = await promisify(execFile)('npm', ['config', 'get', 'cache'])
    const bases = ['SYSTEM', 'BUILDER'].flatMap(name => ['--build-arg', `${name}=${BASE}`])
    const file = join(ROOT, 'deploy/container/Dockerfile')
    const options = ['--network=host', '--format=docker', `--volume=${cache.trim()}:/npm:O`, ...bases]
    await engine.command('build', ...options, '-f', file, '-t', IMAGE, ROOT)
  })
  after(() => engine?.dispose())

  async function container(options: readonly string[], ...command: string[]): Promise<Container> {
    const name = `atelier-${++started}`
    // The engine of a test has no network of its own; the address is the container's loopback.
    await engine.command('run', '--detach', '--name', name, '--network=none', ...options, IMAGE, ...command)
    return new Container(engine, name)
  }

  test('it says how it is run: as no root, with its data in a volume, and what tells its health', async () => {
    const [{ Config, Healthcheck }] = JSON.parse(await engine.command('image', 'inspect', IMAGE))
    assert.equal(Config.User, '1881:1881')
    assert.deepEqual(Object.keys(Config.Volumes), ['/var/lib/atelier'])
    assert.deepEqual(Object.keys(Config.ExposedPorts).sort(), ['1881/tcp', '1882/tcp'])
    assert.equal(Config.StopSignal, 'SIGTERM')
    assert.deepEqual(Healthcheck.Test, ['CMD', '/opt/atelier/deploy/container/healthy'])
  })

  test('with what the page has the engine allow, functions run in sandboxes, of no root, on a root that cannot be written', async () => {
    const page = await exampleOf('container-image.md', 'run')
    // All but the network, and --init, which not every Podman brings a program for.
    const options = page
      .match(/--(?:security-opt|device|read-only|tmpfs|stop-timeout)\S*/g)!
      .map(each => each.replace('systempaths=unconfined', 'unmask=ALL'))
    assert.equal(options.length, 7)
    const one = await container(['--volume', 'atelier-data:/var/lib/atelier', ...options])
    await one.healthy()
    assert.match(await one.atelier('status'), /isolation +process, by local|bubblewrap/)
    assert.equal((await one.run('id', '-u')).trim(), '1881')
    await assert.rejects(one.run('touch', '/opt/atelier/written'), /Read-only file system/)
    await one.atelier('deploy', '/opt/atelier/examples/hello', '--public')
    assert.match(await one.atelier('invoke', 'hello'), /Hello/i)
    const online = `export default () => Object.keys(process.getBuiltinModule('node:os').networkInterfaces()).join()`
    await one.run('sh', '-c', `mkdir /tmp/online && echo "$0" > /tmp/online/index.mjs`, online)
    await one.atelier('deploy', '/tmp/online', '--public')
    assert.match(await one.atelier('invoke', 'online'), /tap0/)
    await one.run('sh', '-c', `mkdir /tmp/slow && echo "$0" > /tmp/slow/index.mjs`, SLOW)
    await one.atelier('deploy', '/tmp/slow', '--public')

    const restarted = await one.atelier('restart').catch((error: Error) => error.message)
    assert.match(restarted, /watched by its container/)

    // A call that runs when the container is stopped is answered, and then the server ends.
    const url = 'http://127.0.0.1:1882/default/default/slow'
    const answer = one.run(
      'node',
      '-e',
      `fetch("${url}").then(async one => console.log(one.status, await one.text()))`,
    )
    await until('the call runs', async () => (await one.atelier('instance', 'list')).includes('busy'))
    const [said] = await Promise.all([answer, engine.command('stop', one.name)])
    assert.equal(said.trim(), '200 at last')
    assert.equal(await one.exitCode(), 0)

    const other = await container(['--volume', 'atelier-data:/var/lib/atelier', ...options])
    await other.healthy()
    assert.match(await other.atelier('invoke', 'hello'), /Hello/i)
    await engine.command('stop', other.name)
  })

  test('without, it refuses to start, and says what to do; or runs trusted code without a sandbox', async () => {
    const refused = await container([])
    await until('it has ended', async () => (await refused.state()) === 'exited', UP_MS_MAX)
    assert.match(await refused.log(), /No sandbox works on this machine.*--isolation none/)
    assert.notEqual(await refused.exitCode(), 0)
    const trusting = await container([], 'server', '--isolation', 'none')
    await trusting.healthy()
    await trusting.atelier('deploy', '/opt/atelier/examples/hello', '--public')
    assert.match(await trusting.atelier('invoke', 'hello'), /Hello/i)
  })
})

class Container {
  readonly name: string
  readonly #engine: Engine

  constructor(engine: Engine, name: string) {
    this.#engine = engine
    this.name = name
  }

  run(...command: string[]): Promise<string> {
    return this.#engine.command('exec', this.name, ...command)
  }

  atelier(...args: string[]): Promise<string> {
    return this.run('atelier', ...args)
  }

  /** Asks what the engine would ask now and then. */
  async healthy(): Promise<void> {
    const isHealthy = async (): Promise<boolean> => {
      if ((await this.state()) === 'exited') assert.fail(await this.log())
      return this.#engine.command('healthcheck', 'run', this.name).then(
        () => true,
        () => false,
      )
    }
    await until('the container is healthy', isHealthy, UP_MS_MAX)
  }

  async state(): Promise<string> {
    return (await this.#engine.command('inspect', '--format', '{{.State.Status}}', this.name)).trim()
  }

  async exitCode(): Promise<number> {
    return Number(await this.#engine.command('inspect', '--format', '{{.State.ExitCode}}', this.name))
  }

  /** What the server said on both its outputs. */
  async log(): Promise<string> {
    const format = '{{.HostConfig.LogConfig.Path}}'
    return readFile((await this.#engine.command('inspect', '--format', format, this.name)).trim(), 'utf8')
  }
}
