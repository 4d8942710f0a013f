import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSchedule, type ScheduleConfig, type ScheduleInput } from '../../src/triggers/schedule/config.ts'
import { type Due, dueRuns, LATE_MS_MAX, MISSED_MAX } from '../../src/triggers/schedule/due.ts'
import { lastIn, planOf } from '../../src/triggers/schedule/plan.ts'

const ms = (text: string) => Date.parse(text)
const NOW = ms('2026-11-02T09:30:00Z')
const HOUR_MS = 3_600_000

function configOf(input: ScheduleInput, now = NOW): ScheduleConfig {
  const checked = checkSchedule(input, now)
  if ('errors' in checked) throw new Error(JSON.stringify(checked.errors))
  return checked.config as unknown as ScheduleConfig
}

function due(input: ScheduleInput, through: number, now: number, remaining = Infinity): Due {
  const config = configOf(input)
  return dueRuns({ triggerId: 't1', series: planOf(config, NOW), config, through, now, remaining })
}

test('what is due now is run, and the time of the next one is told', () => {
  assert.deepEqual(due({ cron: '0 * * * *' }, NOW, NOW + HOUR_MS / 2), {
    runs: [NOW + HOUR_MS / 2],
    through: NOW + HOUR_MS / 2,
    nextAt: NOW + 1.5 * HOUR_MS,
  })
  assert.deepEqual(due({ cron: '0 * * * *' }, NOW, NOW + 60_000), {
    runs: [],
    through: NOW,
    nextAt: NOW + HOUR_MS / 2,
  })
})

test('runs that are late by less than a minute are run, each of them', () => {
  for (const missed of ['skip', 'once', 'all'] as const)
    assert.deepEqual(
      due({ every: '20s', missed }, NOW, NOW + 59_000).runs,
      [NOW + 20_000, NOW + 40_000],
      missed,
    )
})

test('of missed runs none, one or all are made up for', () => {
  const now = NOW + 10 * HOUR_MS // ten were missed: half past eight at night would be the next
  const at = (hours: number) => NOW + (hours + 0.5) * HOUR_MS
  assert.deepEqual(due({ cron: '0 * * * *', missed: 'skip' }, NOW, now), {
    runs: [],
    through: now - LATE_MS_MAX,
    nextAt: at(10),
  })
  assert.deepEqual(due({ cron: '0 * * * *', missed: 'once' }, NOW, now), {
    runs: [at(9)],
    through: at(9),
    nextAt: at(10),
  })
  assert.deepEqual(
    due({ cron: '0 * * * *', missed: 'all' }, NOW, now).runs,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(at),
  )
})

test('one run stands for all that were missed, also when another one is due just now', () => {
  const now = NOW + 9.5 * HOUR_MS
  assert.deepEqual(due({ cron: '0 * * * *', missed: 'once' }, NOW, now).runs, [now])
})

test('all missed runs are no more than the last hundred, however many there were', () => {
  for (const [every, days] of [
    ['10m', 3],
    ['1s', 365],
  ] as const) {
    const now = NOW + days * 24 * HOUR_MS + 500
    const { runs } = due({ every, missed: 'all' }, NOW, now)
    const stepMs = every === '1s' ? 1_000 : 600_000
    const made = runs.filter(run => run <= now - LATE_MS_MAX)
    assert.equal(made.length, MISSED_MAX)
    for (const [i, run] of runs.entries()) if (i > 0) assert.equal(run - runs[i - 1]!, stepMs)
    assert.ok(now - runs.at(-1)! < stepMs)
  }
})

test('the last moment of a long series is found with few questions', () => {
  const series = planOf(configOf({ cron: '* 8-9 * * 1' }), NOW)
  let asked = 0
  const counted = { next: (after: number) => (asked++, series.next(after)) }
  assert.equal(
    lastIn(counted, NOW - 1000 * 24 * HOUR_MS, ms('2026-11-08T00:00:00Z')),
    ms('2026-11-02T09:59:00Z'),
  )
  assert.ok(asked < 100, `${asked} questions`)
  assert.equal(lastIn(series, NOW + HOUR_MS, ms('2026-11-09T07:00:00Z')), undefined)
})

test('no more runs are made than are left by the count', () => {
  assert.deepEqual(due({ every: '20s' }, NOW, NOW + 59_000, 1), {
    runs: [NOW + 20_000],
    through: NOW + 40_000,
    nextAt: undefined,
  })
})

test('a one-shot is over when it has run', () => {
  const at = '2026-11-02T10:00:00Z'
  assert.equal(due({ at }, NOW, NOW).nextAt, ms(at))
  assert.deepEqual(due({ at }, NOW, ms(at)), { runs: [ms(at)], through: ms(at), nextAt: undefined })
})

test('nothing is planned before the start or after the end, and an interval begins with the start', () => {
  const plan = planOf(
    configOf({ every: '1h', start: '2026-11-02T10:15:00Z', end: '2026-11-02T12:15:00Z' }),
    NOW,
  )
  assert.equal(plan.next(NOW), ms('2026-11-02T10:15:00Z'))
  assert.equal(plan.next(ms('2026-11-02T10:15:00Z')), ms('2026-11-02T11:15:00Z'))
  assert.equal(plan.next(ms('2026-11-02T12:15:00Z')), undefined)
  const daily = planOf(configOf({ cron: '0 3 * * *', start: '2026-12-01T03:00:00Z' }), NOW)
  assert.equal(daily.next(NOW), ms('2026-12-01T03:00:00Z'))
})

test('a jitter delays each run by its own part, the same on every node', () => {
  const input = { cron: '0 * * * *', jitterMs: 600_000 } as const
  const starts = Array.from({ length: 24 }, (_, i) => {
    const planned = NOW + (i + 0.5) * HOUR_MS
    const { nextAt } = due(input, planned - 1, planned - 1)
    assert.equal(due(input, planned - 1, planned - 1).nextAt, nextAt)
    assert.ok(nextAt! >= planned && nextAt! <= planned + 600_000)
    assert.deepEqual(due(input, planned - 1, nextAt!).runs, [planned])
    return nextAt! - planned
  })
  assert.ok(new Set(starts).size > 20)
})

test('what is wrong with a schedule is named', () => {
  const wrong: [ScheduleInput, string, RegExp][] = [
    [{}, 'cron', /exactly one/],
    [{ cron: '* * * * *', every: '1h' }, 'every', /exactly one/],
    [{ cron: '* * * *' }, 'cron', /4 fields/],
    [{ cron: '@every 5' }, 'cron', /interval/],
    [{ cron: '@every 100ms' }, 'cron', /interval/],
    [{ every: 'soon' }, 'every', /interval/],
    [{ cron: '0 0 30 2 *' }, 'cron', /never/],
    [{ cron: '* * * * *', zone: 'Europe/Nowhere' }, 'zone', /time zone/],
    [{ at: '2020-01-01T00:00:00Z' }, 'at', /past/],
    [{ cron: '* * * * *', end: '2020-01-01T00:00:00Z' }, 'cron', /never/],
    [
      { cron: '* * * * *', start: '2027-01-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
      'end',
      /before start/,
    ],
    [{ cron: '* * * * *', text: 'a', data: 1 }, 'text', /together/],
    [{ cron: '* * * * *', contentType: 'text/csv' }, 'contentType', /text alone/],
    [{ cron: '* * * * *', data: 'x'.repeat(70_000) }, 'data', /bytes/],
  ]
  for (const [input, pointer, detail] of wrong) {
    const checked = checkSchedule(input, NOW)
    assert.ok('errors' in checked, JSON.stringify(input))
    const found = checked.errors.find(error => error.pointer === pointer)
    assert.match(found?.detail ?? JSON.stringify(checked.errors), detail)
  }
})

test('a schedule is completed, and checked again without a change', () => {
  const checked = checkSchedule({ cron: '0 3 * * *' }, NOW)
  assert.deepEqual(checked, {
    config: { zone: 'UTC', jitterMs: 0, missed: 'once', overlap: 'allow', cron: '0 3 * * *' },
  })
  assert.deepEqual(checkSchedule(configOf({ cron: '0 3 * * *' }), NOW), checked)
})

test('intervals are read in any unit, and in several', () => {
  const next = (every: string) => planOf(configOf({ every }), NOW).next(NOW)! - NOW
  assert.deepEqual(
    ['90s', '1h30m', '1.5h', '2d', '1500ms', '1h 30m'].map(next),
    [90_000, 5_400_000, 5_400_000, 172_800_000, 1_500, 5_400_000],
  )
})
