import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openLocalBackend } from '../../src/backends/local/index.ts'
import { type BuildEvent, createBuilder, type OwnedBuilder } from '../../src/builder/index.ts'
import { systemClock } from '../../src/core/index.ts'
import { environments as all } from '../../src/environments/index.ts'
import { type RawEntry, rawTar } from './archives.ts'
import { never, send } from './helpers.ts'

const environments = new Map(all.map(each => [each.name, each]))
const examples = join(import.meta.dirname, '..', '..', 'examples')

/** A builder over real sandboxes, or `undefined` after skipping the test where there can be none. */
async function real(
  t: TestContext,
  network: 'needed' | 'not needed' = 'not needed',
): Promise<(OwnedBuilder & { path: string }) | undefined> {
  const path = mkdtempSync(join(tmpdir(), 'atelier-sandboxed-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  try {
    execFileSync('bwrap', ['--version'])
  } catch {
    t.skip('bubblewrap is not installed')
    return undefined
  }
  const bundlesPath = join(path, 'bundles')
  const backend = await openLocalBackend({
    runPath: join(path, 'run'),
    bundlesPath,
    isolation: 'bubblewrap',
    clock: systemClock,
  })
  t.after(() => backend.close())
  if (network === 'needed' && !backend.capabilities().network.includes('outbound')) {
    t.skip('sandboxes have no network here: slirp4netns is not installed')
    return undefined
  }
  const builder = await createBuilder({ path, backend, environments })
  t.after(() => builder.close())
  return Object.assign(builder, { path })
}

async function build(
  builder: OwnedBuilder,
  environment: string,
  archive: Uint8Array,
  events: BuildEvent[] = [],
) {
  const { digest } = await send(builder, archive, 'a.tar')
  const request = { packageDigest: digest, environment, entry: undefined, cacheScope: 'p' }
  const result = await builder.build({ ...request, onEvent: event => events.push(event) }, never)
  return { ...result, folder: await builder.locate(result.bundleDigest) }
}

function example(name: string): Buffer {
  return execFileSync('tar', ['-C', join(examples, name), '-cf', '-', '.'], { maxBuffer: 64 * 1024 * 1024 })
}

const FUNCTION: RawEntry = { name: 'index.mjs', body: 'export default () => "hi"' }

test('the thumbnail example is built with its dependency from the registry, once', async t => {
  const builder = await real(t, 'needed')
  if (!builder) return
  const { folder, log, entry } = await build(builder, 'nodejs', example('thumbnail'))
  assert.equal(entry, 'index.mjs')
  assert.match(log, /== npm ci\n/)
  assert.ok(existsSync(join(folder, 'node_modules/sharp/package.json')))
  assert.equal(statSync(join(folder, 'node_modules/sharp/package.json')).mode & 0o7777, 0o444)
  assert.deepEqual(
    [statSync(folder).uid, statSync(join(folder, 'node_modules/sharp')).uid],
    [process.getuid?.(), process.getuid?.()],
  )
  // What was built works: outside of any platform, from its read-only folder.
  const script = `
    import thumbnail from ${JSON.stringify(join(folder, 'index.mjs'))}
    import { readFileSync } from 'node:fs'
    const body = readFileSync(${JSON.stringify(join(folder, 'photo.jpg'))})
    const answer = await thumbnail(new Request('http://x/?w=120', { method: 'POST', body }))
    process.stdout.write(Buffer.from(await answer.arrayBuffer()).toString('base64').slice(0, 4) + answer.status)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.match(out, /\/9j\/200$/)
  const events: BuildEvent[] = []
  const changed = Buffer.concat([
    rawTar([{ name: 'more.mjs', body: 'export {}' }], { end: false }),
    example('thumbnail'),
  ])
  await build(builder, 'nodejs', changed, events)
  assert.ok(events.some(event => event.kind === 'stage' && /earlier build/.test(event.detail)))
})

test('the report example is built with its requirements from the registry', async t => {
  const builder = await real(t, 'needed')
  if (!builder) return
  const python = environments.get('python')
  const status = await python?.probe()
  if (status?.ready !== true) return t.skip(`no Python: ${status?.reason}`)
  const { folder, entry } = await build(builder, 'python', example('csv-report'))
  assert.equal(entry, 'main')
  const files = execFileSync('find', [folder, '-path', '*jinja2/__init__.py'], { encoding: 'utf8' })
  assert.match(files, /jinja2/)
})

test('an error in the code is told before anything is installed', async t => {
  const builder = await real(t)
  if (!builder) return
  const archive = rawTar([
    { name: 'index.mjs', body: 'export default () => {' },
    { name: 'package.json', body: '{"dependencies":{"left-pad":"1.3.0"}}' },
  ])
  const events: BuildEvent[] = []
  await assert.rejects(build(builder, 'nodejs', archive, events), {
    code: 'BUILD_FAILED',
    message: /index\.mjs/,
  })
  assert.ok(!events.some(event => event.kind === 'stage' && event.stage === 'dependencies'))
})

test('a dependency that does not exist is told with its name', async t => {
  const builder = await real(t, 'needed')
  if (!builder) return
  const archive = rawTar([FUNCTION, { name: 'package.json', body: '{"dependencies":{"sharp":"999.0.0"}}' }])
  await assert.rejects(build(builder, 'nodejs', archive), {
    code: 'BUILD_FAILED',
    message: /sharp.*not in the registry/s,
  })
})

test('a registry that cannot be reached is told as such', async t => {
  const builder = await real(t)
  if (!builder) return
  const archive = rawTar([
    FUNCTION,
    { name: 'package.json', body: '{"dependencies":{"sharp":"0.35.5"}}' },
    { name: '.npmrc', body: 'registry=http://127.0.0.1:9/\nfetch-retries=0\n' },
  ])
  await assert.rejects(build(builder, 'nodejs', archive), {
    code: 'BUILD_FAILED',
    message: /cannot reach the package registry/,
  })
})

test('install scripts see neither the server nor other builds, and cannot write outside of their own', async t => {
  const builder = await real(t)
  if (!builder) return
  process.env['ATELIER_TEST_SECRET'] = 'do-not-show'
  t.after(() => delete process.env['ATELIER_TEST_SECRET'])
  const spy = [
    'env',
    'id -u',
    `ls ${builder.path} ${join(import.meta.dirname, '..', '..')} /root /home 2>&1`,
    'ls /registry; cat /registry/* | grep -c PRIVATE',
    'touch /registry/x /usr/x /x 2>&1',
    'ls /proc | grep -c "^[0-9]"',
    'cp /bin/true suid; chmod 6755 suid; ls -l suid',
  ].join('; ')
  const archive = rawTar([
    FUNCTION,
    {
      name: 'package.json',
      body: JSON.stringify({ scripts: { postinstall: `(${spy}) > seen.txt; true` }, dependencies: {} }),
    },
  ])
  const { folder } = await build(builder, 'nodejs', archive)
  const seen = readFileSync(join(folder, 'seen.txt'), 'utf8')
  assert.doesNotMatch(seen, /do-not-show|packages|dependencies$/m)
  assert.match(seen, /touch: cannot touch '\/registry\/x'/)
  assert.match(seen, /touch: cannot touch '\/usr\/x'/)
  assert.match(seen, /-rwsr-sr-x/)
  assert.equal(statSync(join(folder, 'suid')).mode & 0o7777, 0o555)
})

test('an install script that fills the disk, or never ends, is stopped with the limit named', async t => {
  const builder = await real(t)
  if (!builder) return
  const small = { diskBytesMax: 20 * 1024 * 1024 }
  const limited = await createBuilder({
    path: join(builder.path, 'limited'),
    backend: await openLocalBackend({
      runPath: join(builder.path, 'run2'),
      bundlesPath: join(builder.path, 'limited', 'bundles'),
      isolation: 'bubblewrap',
      clock: systemClock,
    }),
    environments,
    buildLimits: small,
  })
  t.after(() => limited.close())
  const script = (postinstall: string) =>
    rawTar([
      FUNCTION,
      { name: 'package.json', body: JSON.stringify({ scripts: { postinstall }, dependencies: {} }) },
    ])
  const filling = 'i=0; while true; do head -c 5000000 /dev/zero > fill$i || exit 1; i=$((i+1)); done'
  await assert.rejects(build(limited, 'nodejs', script(filling)), {
    code: 'BUILD_FAILED',
    message: /wrote more than 20 MiB|disk space/,
  })
  const controller = new AbortController()
  const { digest } = await send(limited, script('echo begun; sleep 1000'), 'a.tar')
  const waiting = limited.build(
    {
      packageDigest: digest,
      environment: 'nodejs',
      entry: undefined,
      onEvent: event =>
        event.kind === 'stage' &&
        event.stage === 'dependencies' &&
        setTimeout(() => controller.abort(), 1500),
    },
    controller.signal,
  )
  await assert.rejects(waiting, { code: 'CANCELLED' })
})
