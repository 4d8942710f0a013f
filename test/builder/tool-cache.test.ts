import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ToolCache } from '../../src/builder/tool-cache.ts'
import { systemClock } from '../../src/core/index.ts'

const MUCH = 1_000_000

test('a build finds what the last one of its key has left, and no other key does', async t => {
  const { cache, at } = await opened(t)
  await cache.take('one', at('a'))
  writeFileSync(join(at('a'), 'object'), 'compiled')
  await cache.giveBack('one', at('a'), MUCH)
  await cache.take('two', at('b'))
  assert.equal(existsSync(join(at('b'), 'object')), false)
  await cache.take('one', at('c'))
  assert.equal(readFileSync(join(at('c'), 'object'), 'utf8'), 'compiled')
})

test('a build that comes while another has the folder begins with an empty one', async t => {
  const { cache, at } = await opened(t)
  await cache.take('one', at('a'))
  writeFileSync(join(at('a'), 'object'), 'first')
  await cache.take('one', at('b'))
  assert.equal(existsSync(join(at('b'), 'object')), false)
  writeFileSync(join(at('b'), 'object'), 'second')
  await cache.giveBack('one', at('a'), MUCH)
  await cache.giveBack('one', at('b'), MUCH) // the other was quicker
  await cache.take('one', at('c'))
  assert.equal(readFileSync(join(at('c'), 'object'), 'utf8'), 'first')
})

test('a key that has nothing yet begins with a copy of the seed, which later builds do not change', async t => {
  const { cache, at } = await opened(t)
  mkdirSync(join(at('seed'), 'deep'), { recursive: true })
  writeFileSync(join(at('seed'), 'deep/object'), 'compiled')
  const seed = async () => at('seed')
  await cache.take('one', at('a'), seed)
  writeFileSync(join(at('a'), 'deep/object'), 'changed by a tenant')
  await cache.giveBack('one', at('a'), MUCH)
  await cache.take('two', at('b'), seed)
  assert.equal(readFileSync(join(at('b'), 'deep/object'), 'utf8'), 'compiled')
  await cache.take('one', at('c'), () => assert.fail('what was kept needs no seed'))
  assert.equal(readFileSync(join(at('c'), 'deep/object'), 'utf8'), 'changed by a tenant')
  await cache.take('three', at('d'), async () => undefined)
  assert.ok(existsSync(at('d')))
})

test('what holds more than its limit is not kept', async t => {
  const { cache, at } = await opened(t)
  await cache.take('one', at('a'))
  mkdirSync(join(at('a'), 'deep'))
  writeFileSync(join(at('a'), 'deep/object'), 'x'.repeat(101))
  await cache.giveBack('one', at('a'), 100)
  await cache.take('one', at('b'))
  assert.equal(existsSync(join(at('b'), 'deep')), false)
})

test('the longest unused goes beyond the number that is kept', async t => {
  const { cache, at } = await opened(t)
  for (const key of ['old', 'new']) {
    await cache.take(key, at(key))
    writeFileSync(join(at(key), 'object'), key)
    await cache.giveBack(key, at(key), MUCH)
    await new Promise(resolve => setTimeout(resolve, 10)) // the disk's dates
  }
  await cache.trim(1, 0, at(''))
  await cache.take('old', at('o'))
  await cache.take('new', at('n'))
  assert.deepEqual([existsSync(join(at('o'), 'object')), existsSync(join(at('n'), 'object'))], [false, true])
})

async function opened(t: TestContext): Promise<{ cache: ToolCache; at: (name: string) => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-tools-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return { cache: await ToolCache.open(join(folder, 'tools'), systemClock), at: name => join(folder, name) }
}
