import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { contractNames } from '../../src/contracts/index.ts'
import { environments } from '../../src/environments/index.ts'

const docs = join(import.meta.dirname, '../../docs')
const page = readFileSync(join(docs, 'support.md'), 'utf8')
const lines = page.split('\n')
const rows = lines.filter(line => line.startsWith('| `'))

test('every language and every contract has a row in the table of what runs where', () => {
  const named = rows.map(row => /^\| `([^`]+)`/.exec(row)![1])
  const languages = environments.filter(({ isImage }) => isImage !== true).map(({ name }) => name)
  assert.deepEqual(new Set(named), new Set([...languages, ...contractNames]))
  assert.equal(named.length, new Set(named).size)
})

test('every cell that says yes names a test that is there', () => {
  const cells = lines.filter(line => /\| (\[yes\]|no: )/.test(line)).flatMap(row => row.split(' | ').slice(1))
  for (const cell of cells) {
    const [, file, name] = /^\[yes\]\((\S+) "([^"]+)"\)/.exec(cell) ?? []
    if (file === undefined || name === undefined) assert.match(cell, /^no: ./)
    else assert.ok(readFileSync(join(docs, file), 'utf8').includes(name), `${file} has no test "${name}"`)
  }
})
