import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseManifest } from '../../src/cli/deploy/manifest-parser.ts'
import { checkManifest } from '../../src/cli/deploy/manifest-rules.ts'
import { LIMITS_DEFAULT, SCALING_DEFAULT } from '../../src/core/index.ts'
import { exampleOf } from '../support/doc-example.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'manifest.md'), 'utf8')

/** The fields that there are where `manifest` has one that there is not. */
function fieldsAt(manifest: object): string[] {
  const [problem] = checkManifest(manifest)
  const [, list] = /there are (.+)$/.exec(problem?.detail ?? '') ?? []
  assert.ok(list, JSON.stringify(problem))
  return list.split(', ')
}

test('the manifest on its page is one, and the page names every field', async () => {
  assert.equal(
    parseManifest(await exampleOf('manifest.md', 'manifest', 'yaml'), 'atelier.yaml').name,
    'report',
  )
  const none = { '??????????': 1 }
  const route = { name: 'a', path: '/a' }
  const fields = [
    none,
    { limits: none },
    { scaling: none },
    { contract: { name: 'http', ...none } },
    { async: none },
    { async: { retry: none } },
    { triggers: [{ ...route, ...none }] },
    { triggers: [{ ...route, cors: none }] },
    { triggers: [{ name: 'a', kind: 'schedule', ...none }] },
  ].flatMap(fieldsAt)
  for (const field of fields) assert.ok(page.includes(`\`${field}\``), field)
})

test("the page's defaults are those of the server", () => {
  for (const [field, value] of Object.entries({ ...LIMITS_DEFAULT, ...SCALING_DEFAULT })) {
    const row = page.split('\n').find(line => line.startsWith(`| \`${field}\` `))
    assert.match(row ?? '', new RegExp(`\\| ${value}(,[^|]*)? \\|`), field)
  }
})
