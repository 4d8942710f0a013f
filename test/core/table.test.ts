import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FunctionTable, type TableFunction } from '../../src/core/index.ts'

test('a function that was made under the name of another keeps its path when that one goes', () => {
  const table = new FunctionTable()
  const entry = (id: string): TableFunction => ({
    id,
    projectId: 'p',
    projectName: 'project',
    appName: 'shop',
    name: 'cart',
    access: 'public',
    versions: new Map(),
    aliases: new Map(),
  })
  table.publish([{ kind: 'function', id: 'old', value: entry('old') }])
  table.publish([
    { kind: 'function', id: 'new', value: entry('new') },
    { kind: 'function', id: 'old', value: undefined },
  ])
  assert.equal(table.byPath('project', 'shop', 'cart')?.id, 'new')
  table.publish([{ kind: 'function', id: 'new', value: undefined }])
  assert.equal(table.byPath('project', 'shop', 'cart'), undefined)
})
