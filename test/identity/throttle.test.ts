import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AtelierError, systemClock } from '../../src/core/index.ts'
import { Door } from '../../src/identity/login.ts'
import { delayAfter, Throttle } from '../../src/identity/throttle.ts'
import { FakeClock } from '../support/clock.ts'

const policy = { failuresFree: 3, delayMsMax: 60_000 }

test('the first failures are free, then the wait doubles up to its limit', () => {
  const delays = Array.from({ length: 12 }, (_, count) => delayAfter(count, policy))
  assert.deepEqual(delays, [0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
})

test('a key waits out its delay, one key does not slow another, and success clears it', () => {
  const throttle = new Throttle(policy)
  for (let i = 0; i < 4; i++) throttle.begin('a', 1_000)
  assert.equal(throttle.waitMs('a', 1_000), 2_000)
  assert.equal(throttle.waitMs('a', 2_500), 500)
  assert.equal(throttle.waitMs('a', 3_000), 0)
  assert.equal(throttle.waitMs('b', 1_000), 0)
  throttle.succeed('a')
  assert.equal(throttle.waitMs('a', 1_000), 0)
})

test('a quarter of an hour without a failure is forgiven', () => {
  const throttle = new Throttle(policy)
  for (let i = 0; i < 30; i++) throttle.begin('a', 0)
  assert.equal(throttle.waitMs('a', 15 * 60_000 + 1), 0)
  throttle.begin('a', 15 * 60_000 + 1)
  assert.equal(throttle.waitMs('a', 15 * 60_000 + 1), 0)
})

test('no wait is ever longer than the limit, however many failures there were', () => {
  fc.assert(
    fc.property(fc.nat({ max: 5_000 }), fc.nat({ max: 1_000_000 }), (count, delayMsMax) => {
      const delay = delayAfter(count, { failuresFree: 3, delayMsMax })
      return delay >= 0 && delay <= delayMsMax
    }),
  )
})

test('names that nobody has push out no key that has failed more often', () => {
  const throttle = new Throttle(policy)
  for (let i = 0; i < 8; i++) throttle.begin('victim', 0)
  for (let i = 0; i < 30_000; i++) throttle.begin(`nobody-${i}`, i % 1_000)
  assert.equal(throttle.waitMs('victim', 0), delayAfter(8, policy))
})

test('an attempt that came to no answer keeps nobody out', async () => {
  const unused = undefined as never
  const door = new Door({ clock: systemClock, store: unused, passwords: unused })
  const busy = new AtelierError('TOO_MANY_REQUESTS', 'Too many logins at once.')
  for (let i = 0; i < 20; i++)
    await assert.rejects(
      door.pass('ann', 'here', async () => {
        throw busy
      }),
      busy,
    )
  assert.equal(await door.pass('ann', 'here', async () => 'in'), 'in')
})

/** A door, and tries at it: who, from where. */
function doorWith() {
  const unused = undefined as never
  const door = new Door({ clock: new FakeClock(), store: unused, passwords: unused })
  const come = (who: string, from: string, answer: string | undefined): Promise<string> =>
    door.pass(who, from, async () => answer).catch(({ code }: AtelierError) => code)
  return { door, come }
}

test('a stranger who fails for a user does not slow that user where it has come in before', async () => {
  const { come } = doorWith()
  assert.equal(await come('ann', 'home', 'in'), 'in')
  for (let i = 0; i < 60; i++)
    assert.equal(await come('ann', `stranger-${i}`, undefined), i < 50 ? WRONG : SLOW)
  assert.equal(await come('ann', 'home', 'in'), 'in')
  for (let i = 0; i < 60; i++) await come('ann', `stranger-${i}`, undefined)
  assert.equal(await come('ann', 'elsewhere', 'in'), SLOW)
  for (let i = 0; i < 6; i++) await come('ann', 'home', undefined)
  assert.equal(await come('ann', 'home', 'in'), SLOW, 'guesses from there are slowed down as ever')
})

test('who tries one password with many names is slowed down, and nobody elsewhere', async () => {
  const { come } = doorWith()
  assert.equal(await come('ann', 'here', 'in'), 'in')
  for (let i = 0; i < 200; i++) assert.equal(await come(`user-${i}`, 'here', undefined), WRONG)
  assert.equal(await come('ben', 'here', 'in'), SLOW)
  assert.equal(await come('ann', 'here', 'in'), 'in')
  assert.equal(await come('ben', 'there', 'in'), 'in')
})

test('all addresses of one IPv6 network are one place', async () => {
  const { come } = doorWith()
  const addresses = [
    '2001:db8::1',
    '2001:db8:0:0:1::2',
    '2001:db8:0::5:6:7:8',
    '2001:db8::b',
    '2001:db8::9',
    '2001:db8::a',
  ]
  for (const address of addresses) await come('ann', address, undefined)
  assert.equal(await come('ann', '2001:db8::ffff', 'in'), SLOW)
  assert.equal(await come('ann', '2001:db8:0:1::1', 'in'), 'in')
})

test('logins that one place has begun leave room for those of others', async () => {
  const { door, come } = doorWith()
  const held = Promise.withResolvers<string>()
  const many = Array.from({ length: 100 }, (_, i) =>
    door.pass(`user-${i}`, 'here', () => held.promise).catch(({ code }: AtelierError) => code),
  )
  assert.equal(await come('ann', 'here', 'in'), SLOW)
  assert.equal(await come('ann', 'there', 'in'), 'in')
  held.resolve('in')
  assert.equal((await Promise.all(many)).filter(each => each === 'in').length, 25)
  assert.equal(await come('ann', 'here', 'in'), 'in')
})

const WRONG = 'UNAUTHENTICATED'
const SLOW = 'TOO_MANY_REQUESTS'
