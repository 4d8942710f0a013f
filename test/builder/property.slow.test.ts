import assert from 'node:assert/strict'
import { readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type RawEntry, rawTar, rawZip } from './archives.ts'
import { makeBuilder, never, send, textEnvironment } from './helpers.ts'

const part = fc.constantFrom('a', 'b', 'c', 'd.js')
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
const target = fc
  .array(fc.constantFrom('..', '.', 'a', 'b', 'c', 'd.js', ''), { minLength: 1, maxLength: 6 })
  .map(parts => parts.join('/'))
const file = fc.record({
  name: path,
  body: fc.string({ maxLength: 40 }),
  mode: fc.constantFrom(0o644, 0o755, 0o7777),
})
const link = fc.record({ name: path, link: target, type: fc.constant('2') })

test('any files make the same package as zip and as tar, or are refused by both', async t => {
  const builder = await makeBuilder(t)
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 6 }), async entries => {
      const [zip, tar] = await Promise.allSettled([
        send(builder, rawZip(entries), 'a.zip'),
        send(builder, rawTar(entries), 'a.tar'),
      ])
      assert.equal(zip.status, tar.status)
      if (zip.status === 'fulfilled' && tar.status === 'fulfilled')
        assert.equal(zip.value.digest, tar.value.digest)
    }),
    { numRuns: 60 },
  )
})

test('whatever links a package has: it is refused, or every one of them ends inside the bundle or nowhere', async t => {
  const builder = await makeBuilder(t, { environments: new Map([['text', textEnvironment()]]) })
  let taken = 0
  const entries = fc.array(fc.oneof(link, file), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(entries, async found => {
      const archive = rawTar([{ name: 'main.txt', body: 'x' }, ...(found as RawEntry[])])
      const received = await send(builder, archive, 'a.tar').catch((thrown: unknown) => {
        assert.equal((thrown as { code?: string }).code, 'PACKAGE_INVALID')
      })
      if (!received) return
      const request = {
        packageDigest: received.digest,
        environment: 'text',
        entry: 'main.txt',
        onEvent: () => {},
      }
      const { bundleDigest } = await builder.build(request, never)
      const root = realpathSync(await builder.locate(bundleDigest))
      for (const link of linksBelow(root)) {
        taken++
        const end = realOrNowhere(link)
        assert.ok(end === undefined || end === root || end.startsWith(`${root}/`), `${link} leads to ${end}`)
      }
    }),
    { numRuns: 200 },
  )
  assert.ok(taken > 0, 'no link was ever taken: this tested nothing')
})

test('any bytes are a package or are refused with a reason, never anything else', async t => {
  const builder = await makeBuilder(t)
  const sane = rawZip([
    { name: 'index.js', body: 'export default 1' },
    { name: 'lib/a.js', body: 'x'.repeat(300) },
  ])
  const saneTar = rawTar([
    { name: 'index.js', body: 'export default 1' },
    { name: 'lib/a.js', body: 'x'.repeat(300) },
  ])
  const change = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(sane, saneTar), change, async (base, changes) => {
      const bytes = Buffer.from(base)
      for (const [at, value] of changes) bytes[at % bytes.length] = value
      await send(builder, bytes, 'index.js').catch((thrown: unknown) => {
        assert.equal((thrown as { code?: string }).code, 'PACKAGE_INVALID', String(thrown))
      })
    }),
    { numRuns: 200 },
  )
})

/** Node's own recursive listing follows links, which here may go round in circles. */
function linksBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink()) return [path]
    return entry.isDirectory() ? linksBelow(path) : []
  })
}

function realOrNowhere(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
