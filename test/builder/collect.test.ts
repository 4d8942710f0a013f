import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Clock, systemClock } from '../../src/core/index.ts'
import { rawTar } from './archives.ts'
import { makeBuilder, never, send, shell, textEnvironment } from './helpers.ts'

const HOUR_MS = 3_600_000
const NOBODY = { packages: new Set<string>(), bundles: new Set<string>() }

function movableClock(): Clock & { pass(ms: number): void } {
  let offsetMs = 0
  return {
    ...systemClock,
    now: () => Date.now() + offsetMs,
    pass: ms => {
      offsetMs += ms
    },
  }
}

const environments = new Map([
  ['text', textEnvironment({ dependencySteps: [shell('install', 'mkdir libs && cp deps.txt libs/')] })],
])

async function built(builder: Awaited<ReturnType<typeof makeBuilder>>, body: string) {
  const { digest } = await send(
    builder,
    rawTar([
      { name: 'main.txt', body },
      { name: 'deps.txt', body: 'a' },
    ]),
    'a.tar',
  )
  const request = {
    packageDigest: digest,
    environment: 'text',
    entry: undefined,
    cacheScope: 'p',
    onEvent: () => {},
  }
  return { request, digest, bundle: (await builder.build(request, never)).bundleDigest }
}

test('what nobody names goes once it is old enough; what is named stays, and so does what it needs', async t => {
  const clock = movableClock()
  const builder = await makeBuilder(t, { clock, environments })
  const kept = await built(builder, 'kept')
  const dropped = await built(builder, 'dropped')
  assert.deepEqual(await builder.collect(NOBODY, HOUR_MS), { removed: 0, freedBytes: 0 })
  clock.pass(2 * HOUR_MS)
  const keep = { packages: new Set([kept.digest]), bundles: new Set([kept.bundle]) }
  const { removed, freedBytes } = await builder.collect(keep, HOUR_MS)
  assert.equal(removed, 2)
  assert.ok(freedBytes > 0)
  await assert.rejects(builder.locate(dropped.bundle), { code: 'GONE' })
  await assert.rejects(builder.openPackage(dropped.digest), { code: 'GONE' })
  assert.ok(existsSync(join(await builder.locate(kept.bundle), 'libs', 'deps.txt')))
  assert.equal((await builder.build(kept.request, never)).cached, true)
  assert.equal(readdirSync(join(builder.path, 'builds')).length, 1)
  assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
})

test('a bundle that was given to an instance, and a package that was sent again, count as used', async t => {
  const clock = movableClock()
  const builder = await makeBuilder(t, { clock, environments })
  const { digest, bundle } = await built(builder, 'x')
  clock.pass(2 * HOUR_MS)
  await builder.locate(bundle)
  assert.equal((await built(builder, 'x')).digest, digest)
  assert.equal((await builder.collect(NOBODY, HOUR_MS)).removed, 0)
  clock.pass(2 * HOUR_MS)
  assert.equal((await builder.collect(NOBODY, HOUR_MS)).removed, 2)
})

test('a package that is being built is not removed', async t => {
  const clock = movableClock()
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const environment = textEnvironment()
  const slow = new Map([
    [
      'text',
      {
        ...environment,
        probe: async () => {
          begun.resolve()
          await gate.promise
          return environment.probe()
        },
      },
    ],
  ])
  const builder = await makeBuilder(t, { clock, environments: slow })
  const { digest } = await send(builder, rawTar([{ name: 'main.txt', body: 'x' }]), 'a.tar')
  clock.pass(2 * HOUR_MS)
  const building = builder.build(
    { packageDigest: digest, environment: 'text', entry: undefined, onEvent: () => {} },
    never,
  )
  await begun.promise
  assert.equal((await builder.collect(NOBODY, HOUR_MS)).removed, 0)
  gate.resolve()
  await building
})

test('installed dependencies that no build used for long are dropped, and bundles keep their share', async t => {
  const clock = movableClock()
  const builder = await makeBuilder(t, { clock, environments })
  const { digest, bundle } = await built(builder, 'x')
  assert.equal(readdirSync(join(builder.path, 'dependencies')).length, 1)
  clock.pass(15 * 24 * HOUR_MS)
  await builder.collect({ packages: new Set([digest]), bundles: new Set([bundle]) }, HOUR_MS)
  assert.equal(readdirSync(join(builder.path, 'dependencies')).length, 0)
  assert.ok(existsSync(join(await builder.locate(bundle), 'libs', 'deps.txt')))
})

test('a package is discarded when it came to nothing, unless it came once more', async t => {
  const clock = movableClock()
  const builder = await makeBuilder(t, { environments, clock })
  const archive = rawTar([{ name: 'main.txt', body: 'for nothing' }])
  const { digest } = await send(builder, archive, 'a.tar')
  const receivedAt = clock.now()
  clock.pass(1_000)
  await send(builder, archive, 'a.tar')
  await builder.discard(digest, receivedAt)
  ;(await builder.openPackage(digest)).destroy()
  await builder.discard(digest, clock.now())
  await assert.rejects(builder.openPackage(digest), { code: 'GONE' })
  await builder.discard(digest, clock.now())
})
