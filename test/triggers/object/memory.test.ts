import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, boolean, assert as check, constantFrom, property, tuple } from 'fast-check'
import type { Change } from '../../../src/triggers/object/poll/config.ts'
import type { Listed } from '../../../src/triggers/object/poll/listing.ts'
import { compare, NAMED_MAX } from '../../../src/triggers/object/poll/memory.ts'

const MINUTE_MS = 60_000
const NOW = 1_800_000_000_000

function listed(name: string, modifiedMs: number, etag = 'e'): Listed {
  return { name, modifiedMs, etag, sizeBytes: 1 }
}

interface Options {
  readonly first?: 'new-only' | 'all'
  readonly events?: readonly Change[]
  readonly of?: string
  readonly now?: number
}

/** One whole listing; the memory goes through JSON, as it does on its way to the disk. */
function poll(memory: unknown, objects: readonly Listed[], options: Options = {}) {
  const { first = 'new-only', events = ['new', 'changed'], of = 'here', now = NOW } = options
  const comparison = compare(memory, { of, first, events })
  const seen = comparison.see(objects)
  const { gone, memory: next } = comparison.end(now)
  return {
    names: [...seen, ...gone].map(each => each.object.name),
    changes: [...seen, ...gone].map(each => `${each.change ?? 'written'} ${each.object.name}`),
    memory: JSON.parse(JSON.stringify(next)) as unknown,
  }
}

const ALL: readonly Change[] = ['new', 'changed', 'deleted']

test('what is there at the first listing is different only when that is asked for', () => {
  const objects = [listed('a', NOW - 1), listed('b', NOW - 2)]
  for (const events of [undefined, ALL]) {
    const more = events && { events }
    assert.deepEqual(poll(undefined, objects, more ?? {}).names, [])
    assert.deepEqual(poll(undefined, objects, { first: 'all', ...more }).names, ['a', 'b'])
  }
})

test('by time, new and changed objects are told once, and old ones not again', () => {
  let { names, memory } = poll(undefined, [listed('a', NOW - 10), listed('old', NOW - 60 * MINUTE_MS)])
  assert.deepEqual(names, [])
  const now = [listed('a', NOW + 5, 'e2'), listed('b', NOW + 7), listed('old', NOW - 60 * MINUTE_MS)]
  ;({ names, memory } = poll(memory, now, { now: NOW + 10 }))
  assert.deepEqual(names, ['a', 'b'])
  ;({ names, memory } = poll(memory, now, { now: NOW + 20 }))
  assert.deepEqual(names, [])
})

test('by time, an object that a listing shows some minutes late is told', () => {
  const { memory } = poll(undefined, [listed('a', NOW)])
  assert.deepEqual(poll(memory, [listed('a', NOW), listed('late', NOW - 4 * MINUTE_MS)]).names, ['late'])
})

test('by time, a store whose clock is ahead hides nothing that is written after', () => {
  const { memory } = poll(undefined, [listed('a', NOW + 600 * MINUTE_MS)])
  assert.deepEqual(poll(memory, [listed('a', NOW + 600 * MINUTE_MS), listed('b', NOW + 1)]).names, ['b'])
})

test('by time, everything after an empty beginning is new', () => {
  const { memory } = poll(undefined, [])
  assert.deepEqual(poll(memory, [listed('a', 5)]).names, ['a'])
})

test('by time, a hundred thousand objects of one moment are remembered in little room and told once', () => {
  const many = Array.from({ length: 100_000 }, (_, index) => listed(`o${index}`, NOW - (index % 1_000)))
  const first = poll(undefined, many)
  assert.deepEqual(first.names, [])
  assert.ok(JSON.stringify(first.memory).length < 100_000)
  const second = poll(first.memory, [...many, listed('new', NOW + 1)])
  assert.deepEqual(second.names, ['new'])
})

test('by name, new, changed and deleted are told apart', () => {
  const { memory } = poll(undefined, [listed('a', 1), listed('b', 1), listed('c', 1)], { events: ALL })
  const next = [listed('a', 1), listed('b', 2, 'e2'), listed('d', 1)]
  const second = poll(memory, next, { events: ALL })
  assert.deepEqual(second.changes, ['changed b', 'new d', 'deleted c'])
  assert.deepEqual(poll(second.memory, next, { events: ALL }).changes, [])
  assert.deepEqual(poll(memory, next, { events: ['deleted'] }).changes, ['deleted c'])
  assert.deepEqual(poll(memory, next, { events: ['new'] }).changes, ['new d'])
})

test('by name, too many objects are refused with the way out', () => {
  const many = Array.from({ length: NAMED_MAX + 1 }, (_, index) => listed(`o${index}`, 1))
  assert.throws(() => poll(undefined, many, { events: ALL }), { code: 'CONFLICT', message: /prefix/ })
})

test('what is remembered of another container, or in another way, counts for nothing', () => {
  const { memory } = poll(undefined, [listed('a', 1)], { events: ALL })
  assert.deepEqual(poll(memory, [listed('b', 1)], { events: ALL, of: 'there' }).changes, [])
  assert.deepEqual(poll(memory, [listed('b', 1)]).changes, [])
  for (const broken of [null, 7, 'x', [], { of: 'here', since: 'x', seen: 7, objects: 7 }])
    assert.deepEqual(poll(broken, [listed('b', 1)], { events: ALL }).changes, [])
})

test('whatever is written, by name every difference is told, and by time every write within some minutes', () => {
  const step = array(tuple(constantFrom('a', 'b', 'c', 'd'), boolean()), { maxLength: 6 })
  check(
    property(array(step, { maxLength: 8 }), steps => {
      const store = new Map<string, Listed>()
      let now = NOW
      let named = poll(undefined, [], { events: ALL }).memory
      let timed = poll(undefined, []).memory
      for (const writes of steps) {
        const before = new Map(store)
        for (const [name, isWrite] of writes) {
          now += 1_000
          if (isWrite) store.set(name, listed(name, now))
          else store.delete(name)
        }
        const objects = [...store.values()]
        const isOther = (name: string) => before.get(name) !== store.get(name)
        const written = [...store.keys()].filter(isOther).toSorted()
        const gone = [...before.keys()].filter(name => !store.has(name)).toSorted()
        const byName = poll(named, objects, { events: ALL, now })
        assert.deepEqual(byName.names.toSorted(), [...written, ...gone].toSorted())
        const byTime = poll(timed, objects, { now })
        assert.deepEqual(byTime.names.toSorted(), written)
        named = byName.memory
        timed = byTime.memory
      }
    }),
  )
})
