import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadlineWheel, Timed } from '../../src/invoker/deadlines.ts'
import { splitWait } from '../../src/invoker/record.ts'
import { chooseTarget } from '../../src/invoker/resolve.ts'
import { FakeClock } from '../support/clock.ts'

class Alarm extends Timed {
  rangAt: number | undefined
  readonly #clock: FakeClock
  readonly #then: () => void

  constructor(clock: FakeClock, then: () => void = () => {}) {
    super()
    this.#clock = clock
    this.#then = then
  }

  onDue(): void {
    this.rangAt = this.#clock.monotonic()
    this.#then()
  }
}

test('a deadline is told never early and at most two ticks late, however far away it is', () => {
  for (const ms of [0, 1, 19, 20, 21, 5_119, 5_120, 5_121, 30_000, 900_000]) {
    const clock = new FakeClock()
    const wheel = new DeadlineWheel(clock, 20)
    const alarm = new Alarm(clock)
    const due = clock.monotonic() + ms
    wheel.set(alarm, due)
    for (let passed = 0; passed <= ms + 40; passed += 7) clock.advance(7)
    assert.ok(alarm.rangAt! >= due, `${ms} ms: early`)
    assert.ok(alarm.rangAt! <= due + 47, `${ms} ms: late by ${alarm.rangAt! - due}`)
    assert.equal(wheel.size, 0)
  }
})

test('a deadline that is cleared or moved is not told at its old time', () => {
  const clock = new FakeClock()
  const wheel = new DeadlineWheel(clock, 20)
  const start = clock.monotonic()
  const [cleared, moved, other] = [new Alarm(clock), new Alarm(clock), new Alarm(clock)]
  for (const alarm of [cleared, moved, other]) wheel.set(alarm, start + 100)
  wheel.clear(cleared)
  wheel.set(moved, start + 300)
  for (let i = 0; i < 20; i++) clock.advance(20)
  assert.equal(cleared.rangAt, undefined)
  assert.ok(moved.rangAt! >= start + 300)
  assert.ok(other.rangAt! < start + 150)
})

test('one deadline may clear another that is due at the same time', () => {
  const clock = new FakeClock()
  const wheel = new DeadlineWheel(clock, 20)
  const alarms: Alarm[] = []
  for (let i = 0; i < 2; i++) alarms.push(new Alarm(clock, () => alarms.forEach(each => wheel.clear(each))))
  for (const alarm of alarms) wheel.set(alarm, clock.monotonic() + 10)
  clock.advance(1_000)
  assert.equal(alarms.filter(each => each.rangAt !== undefined).length, 1)
})

test('after a long pause of the process everything due is told at once', () => {
  const clock = new FakeClock()
  const wheel = new DeadlineWheel(clock, 20)
  const alarms = Array.from({ length: 1_000 }, () => new Alarm(clock))
  alarms.forEach((alarm, index) => wheel.set(alarm, clock.monotonic() + index * 37))
  clock.advance(60_000)
  assert.ok(alarms.every(alarm => alarm.rangAt !== undefined))
})

test('the wait of a call is split into what lay within it', () => {
  const start = { cold: true, startingMs: 40, initialisingMs: 10 }
  assert.deepEqual(splitWait(60, start), { queuedMs: 10, startingMs: 40, initialisingMs: 10 })
  assert.deepEqual(splitWait(30, start), { queuedMs: 0, startingMs: 20, initialisingMs: 10 })
  assert.deepEqual(splitWait(5, start), { queuedMs: 0, startingMs: 0, initialisingMs: 5 })
  assert.deepEqual(splitWait(60, { ...start, cold: false }), {
    queuedMs: 60,
    startingMs: 0,
    initialisingMs: 0,
  })
})

test('weights share the line from 0 to 1 between the targets', () => {
  const targets = [
    { version: 1, weight: 0 },
    { version: 2, weight: 90 },
    { version: 3, weight: 10 },
  ]
  const at = (point: number) => chooseTarget(targets, point).version
  assert.deepEqual([at(0), at(0.89), at(0.9), at(0.999_999)], [2, 2, 3, 3])
})
