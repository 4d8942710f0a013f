import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { VersionSpec } from '../../src/core/index.ts'
import { ServerProcess } from '../support/server-process.ts'

interface VersionSeen {
  readonly number: number
  readonly spec: VersionSpec
}

const TELLS = {
  'index.mjs': `export default (request, context) => ({ version: context.function.version, config: context.config, env: process.env.MODE })`,
}

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start({ flags: ['--versions-kept', '3'] })
})
after(() => server?.dispose())

test('what a version froze stays as it was when the app, the secrets and the limits change after it', async () => {
  await server.deploy('frozen', TELLS, { config: { MODE: 'first' }, limits: { memoryMiB: 160 } })
  const before = await versions('frozen')
  const app = await server.api('PATCH', '/v1/apps/default', { config: { REGION: 'moon' } })
  assert.equal(app.status, 200, app.text)
  assert.deepEqual((await server.call('frozen')).json, {
    version: 1,
    config: { MODE: 'first' },
    env: 'first',
  })
  await server.deploy('frozen', TELLS, { config: { MODE: 'second' } })
  assert.deepEqual((await server.call('frozen')).json, {
    version: 2,
    config: { MODE: 'second', REGION: 'moon' },
    env: 'second',
  })
  assert.deepEqual((await server.call('frozen:1')).json, {
    version: 1,
    config: { MODE: 'first' },
    env: 'first',
  })
  const [second, first] = await versions('frozen')
  assert.deepEqual(first, before[0])
  assert.equal(second!.spec.limits.memoryMiB, 160, 'what a deploy does not name is taken over')
  await server.api('PATCH', '/v1/apps/default', { config: {} })
})

test('the answer after a rollback comes from the version before, and the one after a deploy from the new one', async () => {
  for (let n = 1; n <= 3; n++) {
    await server.deploy('moving', { 'index.mjs': `export default () => 'code ${n}'` })
    assert.equal((await server.call('moving')).text, `code ${n}`)
  }
  for (const expected of [2, 3, 2]) {
    const rolled = await server.api('POST', '/v1/apps/default/functions/moving/rollback', {
      version: expected,
    })
    assert.equal(rolled.status, 200, rolled.text)
    assert.equal((await server.call('moving')).text, `code ${expected}`)
  }
})

test('no call fails while versions change under load', async () => {
  await server.deploy('busy', { 'index.mjs': `export default () => '1'` })
  const over = new AbortController()
  const seen: string[] = []
  const clients = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) seen.push((await server.call('busy')).text)
  })
  for (let n = 2; n <= 4; n++) {
    await server.deploy('busy', { 'index.mjs': `export default () => '${n}'` })
    assert.equal((await server.call('busy')).text, String(n))
  }
  over.abort()
  await Promise.all(clients)
  assert.deepEqual(
    [...new Set(seen)].filter(text => !/^[1-4]$/.test(text)),
    [],
  )
})

test('an alias by weight splits its calls, and a version is reached by its number', async () => {
  for (let n = 1; n <= 2; n++)
    await server.deploy(
      'split',
      { 'index.mjs': `export default () => '${n}'` },
      { limits: { concurrency: 10 } },
    )
  const aliased = await server.api('PUT', '/v1/apps/default/functions/split/aliases/canary', {
    targets: [
      { version: 1, weight: 80 },
      { version: 2, weight: 20 },
    ],
  })
  assert.ok(aliased.status < 300, aliased.text)
  let second = 0
  for (let round = 0; round < 40; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.call('split:canary')))
    second += answers.filter(answer => answer.text === '2').length
  }
  // Of 400 calls 80 are to be expected; these bounds are five standard deviations away.
  assert.ok(second > 40 && second < 125, `${second} of 400 calls went to the fifth of them`)
  assert.equal((await server.call('split:1')).text, '1')
  assert.equal((await server.call('split')).text, '2')
  assert.equal((await server.call('split:none')).status, 404)
})

test('only so many old versions are kept, and those that an alias names', async () => {
  for (let n = 1; n <= 6; n++) {
    await server.deploy('aged', { 'index.mjs': `export default () => '${n}'` })
    if (n === 1)
      await server.api('PUT', '/v1/apps/default/functions/aged/aliases/stable', {
        targets: [{ version: 1, weight: 100 }],
      })
  }
  assert.deepEqual(
    (await versions('aged')).map(version => version.number),
    [6, 5, 4, 1],
  )
  assert.equal((await server.call('aged:stable')).text, '1')
  assert.equal((await server.call('aged:2')).status, 404)
  const live = await server.api('DELETE', '/v1/apps/default/functions/aged/versions/6')
  assert.equal(live.status, 409, live.text)
})

test('a deploy that fails leaves what is live, its version and its log of the build', async () => {
  await server.deploy('steady', { 'index.mjs': `export default () => 'good'` })
  const broken = await server.tryDeploy('steady', { 'index.mjs': `export default () => {` })
  assert.equal(broken.status, 422)
  assert.equal(broken.json.code, 'BUILD_FAILED')
  assert.match(broken.json.detail, /SyntaxError/)
  assert.equal((await server.call('steady')).text, 'good')
  assert.deepEqual(
    (await versions('steady')).map(version => version.number),
    [1],
  )
})

async function versions(name: string): Promise<readonly VersionSeen[]> {
  const path = `/v1/apps/default/functions/${name}/versions`
  return (await server.api<{ items: VersionSeen[] }>('GET', path)).json.items
}
