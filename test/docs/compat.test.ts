import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dialectLoaders } from '../../src/dialects/index.ts'
import { scripts } from '../compat/scripts.ts'
import { operationsOf } from '../support/operations.ts'

const docs = join(import.meta.dirname, '../../docs')
const page = readFileSync(join(docs, 'compat.md'), 'utf8')
/** What the page of Picasso's API is made of is nobody's operation. */
const PARTS_OF_A_PAGE = /^GET \/api\/(?:static\/|json$|yaml$)/

interface Row {
  readonly dialect: string
  readonly operation: string
  readonly commands: readonly string[]
  readonly cells: readonly string[]
}

const rows: readonly Row[] = page.split(/^## /m).flatMap(section => {
  const dialect = /^.*\(`(\w+)`\)/.exec(section)?.[1] ?? ''
  return section.split('\n').flatMap(line => {
    const [, operation, commands, ...cells] = /^\| `([^`]+)` \| (.*) \| (.*) \| (.*) \|$/.exec(line) ?? []
    if (operation === undefined || commands === undefined) return []
    const named = [...commands.matchAll(/`([^`]+)`/g)].map(match => match[1]!)
    return [{ dialect, operation, commands: named, cells }]
  })
})

test('every operation of every dialect has a row in the table of what clients do, and no other has', async () => {
  for (const [name, load] of dialectLoaders) {
    const operations = (await operationsOf(await load())).map(each => each.name)
    const served = operations.filter(each => !PARTS_OF_A_PAGE.test(each))
    const named = rows.filter(({ dialect }) => dialect === name).map(({ operation }) => operation)
    assert.deepEqual([...named].sort(), [...served].sort(), name)
  }
})

test('every command of a row is run by a test, and asks for the operation', () => {
  const steps = scripts().flatMap(({ dialect, steps }) => steps.map(each => ({ dialect, ...each })))
  for (const { dialect, operation, commands } of rows) {
    assert.ok(commands.length > 0, `${dialect} ${operation} has a command`)
    for (const command of commands) {
      const step = steps.find(each => each.dialect === dialect && each.command === command)
      assert.ok(step, `no test of ${dialect} runs ${command}`)
      assert.ok(step.operations.includes(operation), `${command} does not ask for ${operation}`)
    }
  }
})

test('every result of a row is that of a file which runs the commands on what its column says', () => {
  const columns = [
    ['embedded.slow.test.ts', 'Place.embedded()'],
    ['cloud.slow.test.ts', 'Place.cloud()'],
  ] as const
  for (const { operation, cells } of rows)
    for (const [i, [file, place]] of columns.entries()) {
      assert.equal(cells[i], `[yes](../test/compat/${file})`, operation)
      const text = readFileSync(join(docs, '../test/compat', file), 'utf8')
      assert.ok(text.includes('compatSuite(') && text.includes(place))
    }
})
