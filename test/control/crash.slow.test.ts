import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AliasTarget, VersionSpec } from '../../src/core/index.ts'
import { openStore } from '../../src/store/index.ts'
import type { Acknowledged } from '../support/deploying-child.ts'

const ROUNDS = 12

test('a server killed in the middle of deploys has kept each that it acknowledged, whole', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-crash-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const all: Acknowledged[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const acknowledged = await deployAndKill(folder, 5 + Math.floor(Math.random() * 60))
    assert.ok(acknowledged.length >= 5)
    all.push(...acknowledged)
    await check(folder, all)
  }
})

/** Kills the server at a random moment after so many deploys. */
async function deployAndKill(folder: string, deploys: number): Promise<Acknowledged[]> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../support/deploying-child.ts'), folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  while (said.split('\n').length <= deploys) {
    assert.equal(child.exitCode, null)
    await once(child.stdout, 'data')
  }
  await new Promise(resolve => setTimeout(resolve, Math.random() * 10))
  child.kill('SIGKILL')
  await once(child, 'close')
  return said
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Acknowledged)
}

async function check(folder: string, acknowledged: readonly Acknowledged[]): Promise<void> {
  const store = await openStore({ url: join(folder, 'atelier.db') })
  const functions = await store.db.selectFrom('functions').selectAll().execute()
  const versions = await store.db.selectFrom('versions').selectAll().execute()
  const aliases = await store.db.selectFrom('aliases').selectAll().execute()
  const packages = new Set(
    (await store.db.selectFrom('packages').select('digest').execute()).map(row => row.digest),
  )
  await store.close()

  for (const { id, name, latest_version } of functions) {
    const own = versions.filter(version => version.function_id === id)
    const byNumber = new Map(own.map(version => [version.number, version]))
    // No deploy left half of itself behind: numbers without gaps, the newest is live, its package is there.
    assert.deepEqual(
      [...byNumber.keys()].sort((a, b) => a - b),
      Array.from({ length: latest_version }, (_, index) => index + 1),
    )
    const live = aliases.find(alias => alias.function_id === id && alias.name === 'live')
    const targets = JSON.parse(live?.targets_json ?? '[]') as AliasTarget[]
    assert.deepEqual(targets, [{ version: latest_version, weight: 100 }])
    for (const version of own) assert.ok(packages.has(version.package_digest))
    // One more than was acknowledged may be there: its acknowledgement was on its way.
    const said = acknowledged.filter(each => each.name === name)
    for (const { version, bundleDigest } of said) {
      const spec = JSON.parse(byNumber.get(version)?.spec_json ?? '{}') as Partial<VersionSpec>
      assert.equal(spec.bundleDigest, bundleDigest)
    }
  }
  const counts = acknowledged.length
  assert.ok(versions.length >= counts && versions.length <= counts + 3 * ROUNDS)
}
