import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Minute } from '../../src/invoker/minute.ts'

const SECOND = 1_000

test('a minute takes as many calls as it may, and says when there is room again', () => {
  const minute = new Minute()
  const start = 5_000_500
  for (let i = 0; i < 3; i++) assert.equal(minute.take(start + i * 10 * SECOND, 3), 0)
  assert.equal(minute.count(start + 20 * SECOND), 3)
  const waitS = minute.take(start + 30 * SECOND, 3)
  assert.equal(waitS, 30)
  assert.ok(minute.take(start + (30 + waitS - 1) * SECOND, 3) > 0)
  assert.equal(minute.take(start + (30 + waitS) * SECOND, 3), 0)
  assert.equal(minute.count(start + 500 * SECOND), 0)
})

test('where none is allowed, none is, and a lowered limit waits for those that went', () => {
  const minute = new Minute()
  assert.equal(minute.take(0, 0), 60)
  for (let i = 0; i < 10; i++) minute.take(0, 10)
  assert.equal(minute.take(20 * SECOND, 2), 40)
})

test('within any sixty seconds no more begin than may, and who waits as told gets in', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 20 * SECOND }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), (gaps, most) => {
      const minute = new Minute()
      const taken: number[] = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        const waitS = minute.take(now, most)
        if (waitS > 0) {
          assert.ok(waitS <= 60)
          now += waitS * SECOND
          assert.equal(minute.take(now, most), 0)
        }
        taken.push(Math.floor(now / SECOND))
      }
      for (const [i, second] of taken.entries())
        assert.ok(taken.slice(i).filter(each => each < second + 60).length <= most)
    }),
  )
})
