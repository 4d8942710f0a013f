import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type PastTargets,
  previousTargets,
  type RetentionInput,
  sameTargets,
  versionsToRemove,
} from '../../src/control/history.ts'
import type { AliasTarget } from '../../src/core/index.ts'

const all = (version: number): AliasTarget[] => [{ version, weight: 100 }]

const targets: fc.Arbitrary<AliasTarget[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 })
  .map(versions =>
    versions.map((version, index) => ({ version, weight: index === 0 ? 102 - 2 * versions.length : 1 })),
  )

const retention: fc.Arbitrary<RetentionInput> = fc.record({
  versions: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 30 }),
  aliases: fc.array(targets, { maxLength: 4 }),
  lasts: fc.array(targets, { maxLength: 4 }),
  pinned: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }),
  keep: fc.integer({ min: 0, max: 12 }),
})

test('retention never takes what something points to, nor one of the newest', () => {
  fc.assert(
    fc.property(retention, input => {
      const removed = new Set(versionsToRemove(input))
      const pointed = [...input.aliases, ...input.lasts].flat().map(target => target.version)
      for (const version of [...pointed, ...input.pinned]) assert.ok(!removed.has(version))
      const newest = [...input.versions].sort((a, b) => b - a).slice(0, Math.max(1, input.keep))
      for (const version of newest) assert.ok(!removed.has(version))
    }),
  )
})

test('retention takes all the rest, and only what there is, and nothing more the second time', () => {
  fc.assert(
    fc.property(retention, input => {
      const removed = versionsToRemove(input)
      assert.ok(removed.every(version => input.versions.includes(version)))
      const pointed = [...input.aliases, ...input.lasts].flat().map(target => target.version)
      const needed = new Set([...pointed, ...input.pinned])
      const left = input.versions.filter(version => !removed.includes(version))
      assert.ok(left.filter(version => !needed.has(version)).length <= Math.max(1, input.keep))
      assert.deepEqual(versionsToRemove({ ...input, versions: left }), [])
    }),
  )
})

test('a rollback goes to something else that is whole, and the newest such', () => {
  const past = fc
    .array(targets, { maxLength: 12 })
    .map(list => list.map((each, index) => ({ sequence: index + 1, targets: each })))
  fc.assert(
    fc.property(past, targets, fc.uniqueArray(fc.integer({ min: 1, max: 30 })), (history, current, kept) => {
      const there = new Set(kept)
      const isCandidate = (each: PastTargets): boolean =>
        each.targets.every(target => there.has(target.version)) && !sameTargets(each.targets, current)
      const found = previousTargets(history, current, there)
      if (found) assert.ok(isCandidate(found))
      const newer = history.filter(each => each.sequence > (found?.sequence ?? 0))
      assert.ok(!newer.some(isCandidate))
    }),
  )
})

test('rolling back again and again walks through the past, each step once, and ends', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 15 }), moves => {
      // What moving an alias does: the past grows by what was live, unless nothing changes.
      let current = all(moves[0]!)
      let history: PastTargets[] = []
      const lived = [current]
      for (const version of moves.slice(1)) {
        if (sameTargets(all(version), current)) continue
        history = [...history, { sequence: history.length + 1, targets: current }]
        current = all(version)
        lived.push(current)
      }
      const kept = new Set(moves)
      while (lived.length > 1) {
        lived.pop()
        const past = previousTargets(history, current, kept)
        assert.ok(past)
        history = history.filter(each => each.sequence < past.sequence)
        current = [...past.targets]
        assert.deepEqual(current, lived.at(-1))
      }
      assert.equal(previousTargets(history, current, kept), undefined)
    }),
  )
})

test('the order of targets does not matter, their weights do', () => {
  const [a, b] = [
    { version: 1, weight: 40 },
    { version: 2, weight: 60 },
  ]
  assert.ok(sameTargets([a, b], [b, a]))
  assert.ok(
    !sameTargets(
      [a, b],
      [
        { version: 1, weight: 60 },
        { version: 2, weight: 40 },
      ],
    ),
  )
  assert.ok(!sameTargets([a], [a, b]))
})
