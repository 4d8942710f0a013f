import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALL_NUMBER_MAX, CallTable } from '../../src/contracts/call-table.ts'

function add(table: CallTable<{ readonly number: number }>): number {
  const number = table.nextNumber()
  table.add({ number })
  return number
}

test('every call in hand has a number of its own and is found by it, however many there are', () => {
  const table = new CallTable<{ readonly number: number }>()
  const numbers = Array.from({ length: 1_000 }, () => add(table))
  assert.equal(new Set(numbers).size, 1_000)
  assert.ok(numbers.every(number => table.get(number)?.number === number))
  assert.equal(table.size, 1_000)
  assert.deepEqual(
    table
      .all()
      .map(call => call.number)
      .toSorted((a, b) => a - b),
    numbers,
  )
})

test('a number that is over, was never given, or shares a place with another means nothing', () => {
  const table = new CallTable<{ readonly number: number }>()
  const first = add(table)
  const second = add(table)
  table.delete(first)
  table.delete(first)
  table.delete(first + 64)
  assert.equal(table.get(first), undefined)
  for (const strange of [0, second + 64, 0xffff_ffff, CALL_NUMBER_MAX])
    assert.equal(table.get(strange), undefined)
  assert.equal(table.get(second)?.number, second)
  assert.equal(table.size, 1)
})

test('a call that lasts keeps its number while thousands of others come and go', () => {
  const table = new CallTable<{ readonly number: number }>()
  const lasting = add(table)
  const seen = new Set<number>()
  for (let i = 0; i < 10_000; i++) {
    const number = add(table)
    seen.add(number)
    table.delete(number)
  }
  assert.equal(seen.size, 10_000)
  assert.ok(!seen.has(lasting))
  assert.equal(table.get(lasting)?.number, lasting)
})
