import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ControlFixture } from '../support/control.ts'

const FUNCTIONS = 10_000
const BYTES_PER_FUNCTION_MAX = 6 * 1024

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

test('ten thousand functions load as they were and take at most 6 KiB each', async t => {
  const by = await fixture.member('crowd')
  const model = await fixture.deploy(by, 'model', { config: { MODE: 'test', LEVEL: '3' } })
  await copyFunction(model.function.id, FUNCTIONS - 1)
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  await fixture.restart()
  const loaded = fixture.table
  assert.equal(loaded.functions.size, FUNCTIONS)
  assert.equal(loaded.byPath('crowd', 'shop', 'f9999')?.versions.get(1)?.config['LEVEL'], '3')

  // The memory of a second table beside the first.
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const startedAt = performance.now()
  await fixture.restart()
  const ms = performance.now() - startedAt
  collectGarbage()
  const bytes = (process.memoryUsage().heapUsed - before) / FUNCTIONS
  assert.equal(loaded.functions.size + fixture.table.functions.size, 2 * FUNCTIONS)
  t.diagnostic(`start with ${FUNCTIONS} functions: ${Math.round(ms)} ms, ${Math.round(bytes)} bytes each`)
  assert.ok(bytes < BYTES_PER_FUNCTION_MAX, `${bytes} bytes`)
})

async function copyFunction(id: string, copies: number): Promise<void> {
  const { store } = fixture
  const record = await store.db
    .selectFrom('functions')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const version = await store.db
    .selectFrom('versions')
    .selectAll()
    .where('function_id', '=', id)
    .executeTakeFirstOrThrow()
  const alias = await store.db
    .selectFrom('aliases')
    .selectAll()
    .where('function_id', '=', id)
    .executeTakeFirstOrThrow()
  await store.transaction(async tx => {
    for (let n = 1; n <= copies; n++) {
      const own = `fn${n}`
      const hash = `sha256:${String(n).padStart(64, '0')}`
      await tx
        .insertInto('functions')
        .values({ ...record, id: own, name: `f${n}` })
        .execute()
      await tx
        .insertInto('versions')
        .values({
          ...version,
          id: `v${n}`,
          function_id: own,
          bundle_digest: hash,
          spec_json: version.spec_json.replaceAll(version.bundle_digest, hash),
        })
        .execute()
      await tx
        .insertInto('aliases')
        .values({ ...alias, function_id: own })
        .execute()
    }
  })
}
