import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import type { DeployEvent, DeployRequest } from '../../src/control/index.ts'
import { LIMITS_DEFAULT, type Principal } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

let projects = 0
const member = (): Promise<Principal> => fixture.member(`deploy-${++projects}`)
const live = (by: Principal, name = 'cart') =>
  fixture.table.byPath(by.projectName, 'shop', name)?.aliases.get('live')

test('a first deploy makes app, function, version 1 and the live alias, and publishes them', async () => {
  const by = await member()
  const events: DeployEvent[] = []
  const result = await fixture.deploy(by, 'one', { access: 'public', config: { B: '2', A: '1' } }, event =>
    events.push(event),
  )
  assert.equal(result.created, true)
  assert.equal(result.url, `http://127.0.0.1:1882/${by.projectName}/shop/cart`)
  assert.equal(result.function.latestVersion, 1)
  assert.equal(result.version.number, 1)
  assert.equal(result.version.createdBy, by.userName)
  assert.deepEqual(result.version.spec, {
    environment: 'nodejs',
    environmentRevision: 'nodejs-1',
    packageDigest: result.version.spec.packageDigest,
    bundleDigest: result.version.spec.bundleDigest,
    entry: 'main.js',
    config: { A: '1', B: '2' },
    secrets: [],
    limits: LIMITS_DEFAULT,
    scaling: { instancesMin: 0, instancesMax: 100, idleMs: 120_000 },
    network: 'outbound',
  })
  assert.deepEqual(
    events.map(event => (event.kind === 'stage' ? event.stage : event.kind)),
    ['receive', 'unpack', 'log', 'publish'],
  )
  const entry = fixture.table.byPath(by.projectName, 'shop', 'cart')
  assert.equal(entry?.access, 'public')
  assert.deepEqual(entry?.aliases.get('live'), [{ version: 1, weight: 100 }])
  assert.equal(entry?.versions.get(1)?.bundleDigest, result.version.spec.bundleDigest)
})

test('the same package with the same settings publishes nothing new', async () => {
  const by = await member()
  const settings: Partial<DeployRequest> = { config: { A: '1' }, limits: { memoryMiB: 256 } }
  const first = await fixture.deploy(by, 'same', settings)
  for (const again of [settings, {}, { config: { A: '1' } }]) {
    const result = await fixture.deploy(by, 'same', again)
    assert.equal(result.created, false)
    assert.deepEqual(result.version, first.version)
    assert.deepEqual(result.function, first.function)
  }
  const { items } = await fixture.control.listVersions(by, 'shop', 'cart', {})
  assert.equal(items.length, 1)
})

test('each setting that differs makes a version, and what is not given stays as it is live', async () => {
  const by = await member()
  await fixture.deploy(by, 'code', { config: { A: '1' } })
  const changes: Partial<DeployRequest>[] = [
    { config: { A: '2' } },
    { limits: { timeoutMs: 1_000 } },
    { scaling: { instancesMax: 5 } },
    { network: 'none' },
    { entry: 'main.js#other' },
  ]
  for (const change of changes) assert.equal((await fixture.deploy(by, undefined, change)).created, true)
  const result = await fixture.deploy(by, 'new code')
  assert.equal(result.version.number, 7)
  assert.deepEqual(result.version.spec.config, { A: '2' })
  assert.equal(result.version.spec.limits.timeoutMs, 1_000)
  assert.equal(result.version.spec.limits.memoryMiB, LIMITS_DEFAULT.memoryMiB)
  assert.equal(result.version.spec.network, 'none')
})

test('a newer environment makes a version, and the old one keeps the revision it was published with', async () => {
  const by = await member()
  const first = await fixture.deploy(by, 'frozen')
  fixture.nodejs.revision = 'nodejs-2'
  const second = await fixture.deploy(by, 'frozen')
  fixture.nodejs.revision = 'nodejs-1'
  assert.equal(second.created, true)
  assert.equal(second.version.spec.environmentRevision, 'nodejs-2')
  assert.deepEqual(await fixture.control.getVersion(by, 'shop', 'cart', 1), first.version)
})

test("an app's configuration is frozen into versions, under the function's own", async () => {
  const by = await member()
  await fixture.control.createApp(by, { name: 'shop', config: { FROM: 'app', BOTH: 'app' } })
  const first = await fixture.deploy(by, 'x', { config: { BOTH: 'function' } })
  assert.deepEqual(first.version.spec.config, { BOTH: 'function', FROM: 'app' })
  await fixture.control.updateApp(by, 'shop', { config: { FROM: 'app 2' } })
  assert.deepEqual(
    (await fixture.control.getVersion(by, 'shop', 'cart', 1)).spec.config,
    first.version.spec.config,
  )
  const second = await fixture.deploy(by, 'x')
  assert.deepEqual(second.version.spec.config, { BOTH: 'function', FROM: 'app 2' })
})

test('a build that fails leaves what is live untouched, and its log can be read', async () => {
  const by = await member()
  await fixture.deploy(by, 'good')
  const before = fixture.table.byPath(by.projectName, 'shop', 'cart')
  await assert.rejects(fixture.deploy(by, 'syntax error'), { code: 'BUILD_FAILED' })
  assert.equal(fixture.table.byPath(by.projectName, 'shop', 'cart'), before)
  const { items } = await fixture.control.listPackages(by, {})
  const logs = await Promise.all(items.map(item => fixture.control.readBuildLog(by, item.digest)))
  assert.ok(logs.some(log => /main\.js: syntax error/.test(log)))
  await assert.rejects(fixture.deploy(by, 'syntax error', { name: 'fresh' }), { code: 'BUILD_FAILED' })
  await assert.rejects(fixture.control.getFunction(by, 'shop', 'fresh'), { code: 'NOT_FOUND' })
})

test('a caller who leaves during the build changes nothing', async () => {
  const by = await member()
  await fixture.deploy(by, 'before')
  const given = new AbortController()
  fixture.builder.hold = async () => given.abort()
  await assert.rejects(
    fixture.deploy(by, 'after', {}, () => {}, given.signal),
    { code: 'CANCELLED' },
  )
  fixture.builder.hold = async () => {}
  assert.deepEqual(live(by), [{ version: 1, weight: 100 }])
})

test('deploys of one function at once each end in one version, one after the other', async () => {
  const by = await member()
  let running = 0
  fixture.builder.hold = async () => {
    assert.equal(++running, 1)
    await new Promise(resolve => setTimeout(resolve, 2))
    running--
  }
  const results = await Promise.all(
    Array.from({ length: 12 }, (_, index) => fixture.deploy(by, `concurrent ${index}`)),
  )
  fixture.builder.hold = async () => {}
  const numbers = results.map(result => result.version.number).sort((a, b) => a - b)
  assert.deepEqual(
    numbers,
    Array.from({ length: 12 }, (_, index) => index + 1),
  )
  assert.deepEqual(live(by), [{ version: 12, weight: 100 }])
})

test('the same deploy twice at once publishes one version', async () => {
  const by = await member()
  const results = await Promise.all([fixture.deploy(by, 'twin'), fixture.deploy(by, 'twin')])
  assert.equal(results.filter(result => result.created).length, 1)
  assert.deepEqual(
    results.map(result => result.version.number),
    [1, 1],
  )
})

test('deploys of different functions do not wait for each other', async () => {
  const by = await member()
  const both = Promise.withResolvers<void>()
  let building = 0
  fixture.builder.hold = async () => {
    if (++building === 2) both.resolve()
    await both.promise
  }
  await Promise.all([fixture.deploy(by, 'a', { name: 'a' }), fixture.deploy(by, 'b', { name: 'b' })])
  fixture.builder.hold = async () => {}
})

test('publish only leaves live where it is, except for the first version', async () => {
  const by = await member()
  await fixture.deploy(by, 'first', { publishOnly: true })
  assert.deepEqual(live(by), [{ version: 1, weight: 100 }])
  const second = await fixture.deploy(by, 'second', { publishOnly: true })
  assert.equal(second.version.number, 2)
  assert.deepEqual(live(by), [{ version: 1, weight: 100 }])
  assert.equal((await fixture.deploy(by, 'second', { publishOnly: true })).created, false)
})

test('a deploy of what already gets most calls ends a split', async () => {
  const by = await member()
  await fixture.deploy(by, 'one')
  await fixture.deploy(by, 'two')
  await fixture.control.putAlias(by, 'shop', 'cart', 'live', [
    { version: 1, weight: 10 },
    { version: 2, weight: 90 },
  ])
  const result = await fixture.deploy(by, 'two')
  assert.deepEqual(live(by), [{ version: result.version.number, weight: 100 }])
})

test('the environment comes from the request, then the files, then what is live', async () => {
  const by = await member()
  const environmentOf = async (code: string | undefined, request: Parameters<typeof fixture.deploy>[2]) =>
    (await fixture.deploy(by, code, request)).version.spec.environment
  assert.equal(await environmentOf('x', { fileName: 'main.py' }), 'python')
  assert.equal(await environmentOf('x', { fileName: 'main.txt' }), 'python')
  assert.equal(await environmentOf('x', { fileName: 'main.py', environment: 'nodejs' }), 'nodejs')
  const unclear = fixture.deploy(by, 'x', { name: 'unclear', fileName: 'main.txt' })
  await assert.rejects(unclear, { code: 'INVALID_INPUT', message: /environment.*nodejs, python/ })
  const image = fixture.deploy(by, 'x', { name: 'unclear', fileName: 'Dockerfile' })
  await assert.rejects(image, { code: 'INVALID_INPUT', message: /Dockerfile is not built here.*--image/ })
  await assert.rejects(fixture.deploy(by, 'x', { environment: 'cobol' }), {
    code: 'INVALID_INPUT',
    message: /cobol.*nodejs, python/,
  })
})

test('a deploy without a package needs an earlier one', async () => {
  const by = await member()
  await assert.rejects(fixture.deploy(by, undefined), { code: 'INVALID_INPUT', message: /needs a package/ })
})

test('every field that is wrong is named, before anything is received', async () => {
  const by = await member()
  const request = {
    config: { 'not ok': '1', ATELIER_X: '1', GOOD: 'a\0b' },
    limits: { memoryMiB: 1, timeoutMs: 0.5, colour: 1 },
    scaling: { instancesMin: 5, instancesMax: 2 },
    secrets: ['../etc'],
    network: 'bridge',
    access: 'friends',
  } as unknown as Partial<DeployRequest>
  const packages = fixture.builder.packages.size
  await assert.rejects(
    fixture.deploy(by, 'unreceived', request),
    (error: { errors: { pointer: string }[] }) => {
      assert.deepEqual(
        new Set(error.errors.map(each => each.pointer)),
        new Set([
          'config.not ok',
          'config.ATELIER_X',
          'config.GOOD',
          'limits.memoryMiB',
          'limits.timeoutMs',
          'limits.colour',
          'scaling.instancesMin',
          'secrets',
          'network',
          'access',
        ]),
      )
      return true
    },
  )
  assert.equal(fixture.builder.packages.size, packages)
  const large = { config: { A: 'x'.repeat(65_536) } }
  await assert.rejects(fixture.deploy(by, 'x', large), { code: 'INVALID_INPUT', message: /65536/ })
  for (const name of ['', '..', 'a/b', '__proto__\n', 'x'.repeat(64)])
    await assert.rejects(fixture.deploy(by, 'x', { name }), { code: 'INVALID_INPUT' })
})

test('names of objects that JavaScript knows are names like others', async () => {
  const by = await member()
  const config = JSON.parse('{"constructor":"1","toString":"2","__proto__":"3"}') as Record<string, string>
  const { version } = await fixture.deploy(by, 'x', { app: 'constructor', name: 'toString', config })
  assert.deepEqual(Object.keys(version.spec.config), ['__proto__', 'constructor', 'toString'])
  assert.equal((await fixture.control.getFunction(by, 'constructor', 'toString')).latestVersion, 1)
})

test('outbound network is refused where there is none, and the default is then none', async () => {
  const other = await ControlFixture.open({ networkAvailable: false })
  const by = await other.member('default')
  assert.equal((await other.deploy(by, 'x')).version.spec.network, 'none')
  await assert.rejects(other.deploy(by, 'x', { network: 'outbound' }), {
    code: 'INVALID_INPUT',
    message: /network/,
  })
  await other.dispose()
})

test('a secret that is not there stops the deploy by name', async () => {
  const by = await member()
  await assert.rejects(fixture.deploy(by, 'x', { secrets: ['KEY'] }), {
    code: 'INVALID_INPUT',
    message: /"KEY"/,
  })
  await fixture.control.putSecret(by, 'KEY', 'value')
  assert.deepEqual((await fixture.deploy(by, 'x', { secrets: ['KEY'] })).version.spec.secrets, ['KEY'])
})

test("an image's secret that is not there is the caller's mistake", async t => {
  const images = { pull: async () => assert.fail('nothing is pulled') }
  const other = await ControlFixture.open({ images })
  t.after(() => other.dispose())
  const by = await other.member('images')
  await assert.rejects(other.deploy(by, undefined, { image: 'registry/app', imageSecret: 'login' }), {
    code: 'INVALID_INPUT',
    message: /imageSecret names "login"/,
  })
})

test('packages are listed with what was sent, and can be read back', async () => {
  const by = await member()
  const { version } = await fixture.deploy(by, 'the code')
  const digest = version.spec.packageDigest
  const info = await fixture.control.getPackage(by, digest)
  assert.deepEqual([info.fileName, info.sizeBytes], ['main.js', 8])
  assert.equal(await text(await fixture.control.readPackage(by, digest)), 'the code')
  assert.equal(await fixture.control.readBuildLog(by, digest), 'checking main.js\n')
})
