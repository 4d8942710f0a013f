import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leastId, newId } from '../../src/core/index.ts'

test('an id is 26 characters, unique, and sorts by its time', () => {
  const ids = Array.from({ length: 2_000 }, (_, i) => newId(1_800_000_000_000 + Math.floor(i / 500)))
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.every(id => /^[0-9a-hjkmnp-tv-z]{26}$/.test(id)))
  assert.ok(newId(1_800_000_000_000) < newId(1_800_000_000_001))
  assert.ok(newId(1_800_000_000_001) > newId(1_799_999_999_999))
})

test('the least id of a time is before all of that time and after all earlier ones', () => {
  const at = 1_800_000_000_000
  assert.ok(leastId(at) < newId(at))
  assert.ok(leastId(at) > newId(at - 1))
})
