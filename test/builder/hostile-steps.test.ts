import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RunSpec } from '../../src/backends/index.ts'
import { build, DEPS, MAIN, makeBuilder, only, shell, shellBackend } from './helpers.ts'

test('a link that a step leaves in place of a folder of the builder leads it nowhere', async t => {
  const seen: RunSpec[] = []
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({
      keepsToolCache: true,
      dependencyFolder: undefined,
      checkSteps: [
        shell(
          'swap',
          'for each in .[a-z]*; do [ -d "$each" ] && mv "$each" away && ln -s "$PWD/../../../victim" "$each"; done; true',
        ),
      ],
    }),
  })
  const victim = join(builder.path, 'victim')
  mkdirSync(victim, { mode: 0o700 })
  for (const body of ['once', 'again'])
    await build(builder, [
      { name: 'main.txt', body },
      { name: 'victim', body: victim },
    ]).catch(() => {})
  assert.equal(seen.length, 2)
  assert.equal(statSync(victim).mode & 0o777, 0o700)
  // What a step sees as its own must not lie where the step could have put something else.
  for (const { workPath, mounts } of seen)
    for (const { source, writable } of mounts)
      assert.ok(!writable || !source.startsWith(`${workPath}/`), source)
})

test('what leads to the folder of dependencies must be folders, after every step', async t => {
  const nested = { dependencyFolder: 'deep/libs' }
  const swap = 'rm -rf deep && ln -s "$PWD/../../../victim" deep'
  const make = shell('install', 'mkdir -p deep/libs && echo installed > deep/libs/installed')
  for (const plan of [
    { ...nested, dependencySteps: [shell('install', swap)] },
    { ...nested, dependencySteps: [make], checkSteps: [shell('check', swap)] },
  ]) {
    const builder = await makeBuilder(t, { environments: only(plan) })
    const victim = join(builder.path, 'victim')
    mkdirSync(join(victim, 'libs'), { recursive: true })
    writeFileSync(join(victim, 'libs/kept'), '')
    await assert.rejects(build(builder, [MAIN, DEPS]), {
      code: 'BUILD_FAILED',
      message: /deep, which is not a folder/,
    })
    assert.deepEqual(readdirSync(join(victim, 'libs')), ['kept'])
  }
})
