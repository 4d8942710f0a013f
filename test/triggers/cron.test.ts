import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { cronRecurrence, parseCron } from '../../src/triggers/schedule/cron.ts'
import { zoneNamed } from '../../src/triggers/schedule/zone.ts'

const ms = (text: string) => Date.parse(text)

/** The first `count` moments after `from`, as UTC. */
function moments(cron: string, zone: string, from: string, count: number): string[] {
  const series = cronRecurrence(parseCron(cron), zoneNamed(zone)!)
  const found: string[] = []
  for (let at = series.next(ms(from)); at !== undefined && found.length < count; at = series.next(at))
    found.push(new Date(at).toISOString().replace(':00.000Z', 'Z'))
  return found
}

test('five fields, six with seconds, names, ranges, steps and lists are read', () => {
  const from = '2026-11-02T09:30:00Z' // a Monday
  const all: [string, string][] = [
    ['0 3 * * *', '2026-11-03T03:00Z'],
    ['*/15 * * * *', '2026-11-02T09:45Z'],
    ['30 0 9 * * *', '2026-11-03T09:00:30.000Z'],
    ['0 12 * * mon-fri', '2026-11-02T12:00Z'],
    ['0 12 * * SUN', '2026-11-08T12:00Z'],
    ['0 12 * * 7', '2026-11-08T12:00Z'],
    ['0 0 1 jan,jul *', '2027-01-01T00:00Z'],
    ['10-50/20 8 * * *', '2026-11-03T08:10Z'],
    ['0 0 L * *', '2026-11-30T00:00Z'],
    ['0 0 * * FRI#2', '2026-11-13T00:00Z'],
    ['0 0 * * FRIL', '2026-11-27T00:00Z'],
    ['0 0 29 2 *', '2028-02-29T00:00Z'],
    ['@hourly', '2026-11-02T10:00Z'],
    ['@daily', '2026-11-03T00:00Z'],
    ['@weekly', '2026-11-08T00:00Z'],
    ['@monthly', '2026-12-01T00:00Z'],
    ['@Yearly', '2027-01-01T00:00Z'],
  ]
  for (const [cron, next] of all) assert.deepEqual(moments(cron, 'UTC', from, 1), [next], cron)
})

test('day and weekday are alternatives when both are given, as in every cron', () => {
  assert.deepEqual(moments('0 0 13 * 5', 'UTC', '2026-11-02T00:00:00Z', 3), [
    '2026-11-06T00:00Z',
    '2026-11-13T00:00Z',
    '2026-11-20T00:00Z',
  ])
})

test('what cannot be read is named', () => {
  const wrong: [string, RegExp][] = [
    ['* * * *', /has 4 fields/],
    ['* * * * * * 2027', /has 7 fields/],
    ['61 * * * *', /minute, "61"/],
    ['0 24 * * *', /hour, "24"/],
    ['0 0 32 * *', /day, "32"/],
    ['0 0 * fun *', /month, "fun"/],
    ['0 0 * * 8', /weekday, "8"/],
    ['70 0 0 * * *', /second, "70"/],
    ['*/0 * * * *', /minute/],
    ['@reboot', /there is no @reboot/],
    ['constructor', /has 1 fields/],
    ['@constructor', /there is no/],
  ]
  for (const [cron, message] of wrong) assert.throws(() => parseCron(cron), { name: 'SyntaxError', message })
})

// Europe/Berlin skips 02:00-03:00 on 2027-03-28 (01:00 UTC) and repeats 02:00-03:00 on 2026-10-25 (00:00 and 01:00 UTC).

test('a fixed time in the skipped hour runs once, right after the jump', () => {
  assert.deepEqual(moments('30 2 * * *', 'Europe/Berlin', '2027-03-26T12:00:00Z', 3), [
    '2027-03-27T01:30Z',
    '2027-03-28T01:00Z',
    '2027-03-29T00:30Z',
  ])
  // Several in the hour are one run then, and one at its end is not run twice.
  assert.deepEqual(moments('0,20,40 2,3 * * *', 'Europe/Berlin', '2027-03-28T00:00:00Z', 4), [
    '2027-03-28T01:00Z',
    '2027-03-28T01:20Z',
    '2027-03-28T01:40Z',
    '2027-03-29T00:00Z',
  ])
})

test('a fixed time in the repeated hour runs once, the first time', () => {
  assert.deepEqual(moments('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2), [
    '2026-10-25T00:30Z',
    '2026-10-26T01:30Z',
  ])
  // Asked in the middle of the second pass, too.
  assert.deepEqual(moments('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', 1), ['2026-10-26T01:30Z'])
})

test('an interval goes on through the repeated hour, and leaves the skipped one out', () => {
  assert.deepEqual(moments('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:45:00Z', 6), [
    '2026-10-25T00:00Z',
    '2026-10-25T00:30Z',
    '2026-10-25T01:00Z',
    '2026-10-25T01:30Z',
    '2026-10-25T02:00Z',
    '2026-10-25T02:30Z',
  ])
  assert.deepEqual(moments('0 * * * *', 'Europe/Berlin', '2027-03-27T23:30:00Z', 3), [
    '2027-03-28T00:00Z',
    '2027-03-28T01:00Z',
    '2027-03-28T02:00Z',
  ])
  // An interval within a certain hour: not at all when the hour is skipped, twice when it comes twice.
  assert.deepEqual(moments('*/30 2 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z', 2), [
    '2027-03-29T00:00Z',
    '2027-03-29T00:30Z',
  ])
  assert.deepEqual(moments('*/30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 4), [
    '2026-10-25T00:00Z',
    '2026-10-25T00:30Z',
    '2026-10-25T01:00Z',
    '2026-10-25T01:30Z',
  ])
})

test('zones with odd jumps are reckoned right', () => {
  // Lord Howe Island: half an hour, at 02:00 on the first Sunday of October.
  assert.deepEqual(moments('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T18:00:00Z', 2), [
    '2026-10-03T15:30Z',
    '2026-10-04T15:15Z',
  ])
  // Santiago and Beirut jump at midnight: a daily run at 00:00 must not be lost.
  assert.deepEqual(moments('0 0 * * *', 'America/Santiago', '2026-09-05T12:00:00Z', 2), [
    '2026-09-06T04:00Z',
    '2026-09-07T03:00Z',
  ])
  // Apia left out 30 December 2011 altogether.
  assert.deepEqual(moments('0 9 * * *', 'Pacific/Apia', '2011-12-28T12:00:00Z', 3), [
    '2011-12-28T19:00Z',
    '2011-12-29T19:00Z',
    '2011-12-30T10:00Z',
  ])
})

test('a series agrees with the wall clock, minute by minute, over the nights when it changes', () => {
  const crons = ['*/20 * * * *', '5 * * * *', '*/15 2 * * *', '0-59/25 1-3 * * *']
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Santiago',
    'Asia/Kathmandu',
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...crons),
      fc.constantFrom(...zones),
      fc.integer({ min: ms('2026-01-01T00:00:00Z') / 60_000, max: ms('2028-01-01T00:00:00Z') / 60_000 }),
      (cron, name, minute) => {
        const zone = zoneNamed(name)!
        const expression = parseCron(cron)
        const from = minute * 60_000
        const next = cronRecurrence(expression, zone).next(from)!
        assert.ok(next > from)
        const wallAt = (at: number) => at + zone.offsetAt(at)
        const isMeant = (wall: number) => expression.nextWall(wall - 1_000) === wall
        let expected = Infinity
        if (expression.isFixed) {
          // By hand: of the wall-clock minutes around, the first moment at which one is shown, or skipped over.
          for (let wall = wallAt(from) - 180 * 60_000; wall < wallAt(from) + 27 * 3_600_000; wall += 60_000) {
            if (!isMeant(wall)) continue
            const moment = zone.momentOf(wall)
            if (moment > from) expected = Math.min(expected, moment)
          }
        } else {
          // By hand: the first minute whose wall clock fits.
          expected = from + 60_000
          while (!isMeant(wallAt(expected))) expected += 60_000
        }
        assert.equal(next, expected)
      },
    ),
    { numRuns: 300 },
  )
})

test('an expression that never comes to pass has no next moment', () => {
  assert.deepEqual(moments('0 0 30 2 *', 'Europe/Berlin', '2026-11-02T00:00:00Z', 1), [])
})

test('a zone is known by its name, and nothing else is a zone', () => {
  assert.ok(zoneNamed('America/Argentina/Buenos_Aires'))
  for (const name of ['Europe/Nowhere', '', 'x'.repeat(100), '__proto__'])
    assert.equal(zoneNamed(name), undefined)
})
