import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryOf, languageOf } from '../../../src/dialects/qinling/images.ts'
import {
  afterRun,
  changedJob,
  type KeptJob,
  nextTime,
  planOf,
} from '../../../src/dialects/qinling/job-rules.ts'
import { pythonJson, respaced } from '../../../src/dialects/qinling/json.ts'
import { outcomeOfAnswer, outcomeOfFailure } from '../../../src/dialects/qinling/outcome.ts'
import { matches, uuidIn } from '../../../src/dialects/qinling/reading.ts'
import { Tally } from '../../../src/dialects/qinling/tally.ts'
import { unwrapped, wrapped } from '../../../src/dialects/qinling/tar.ts'
import { readTime, showTime } from '../../../src/dialects/qinling/times.ts'

const at = (text: string): number => Date.parse(text)
const NOW = at('2030-03-01T10:00:30Z')

test('JSON has the spaces and the letters of Python, and its numbers as they were written', () => {
  assert.equal(
    respaced(' {"a" : [1.0, 12345678901234567890],"b":"x, y: \\"z\\""} '),
    '{"a": [1.0, 12345678901234567890], "b": "x, y: \\"z\\""}',
  )
  assert.equal(
    pythonJson({ name: 'é\u007f😀', none: null }),
    '{"name": "\\u00e9\\u007f\\ud83d\\ude00", "none": null}',
  )
  assert.equal(respaced('"plain"'), '"plain"')
})

test('times are UTC whatever zone they name', () => {
  assert.equal(showTime(at('2035-01-02T03:04:05.678Z')), '2035-01-02T03:04:05Z')
  for (const text of [
    '2035-01-02 03:04:05',
    '2035-01-02T03:04:05Z',
    '2035-01-02T03:04:05+05:00',
    '2035-1-2 3:04:05',
  ])
    assert.equal(readTime(text), at('2035-01-02T03:04:05Z'), text)
  assert.equal(readTime('2035-01-02 03:04:05.678901'), at('2035-01-02T03:04:05.678Z'))
  assert.equal(readTime('2035-01-02'), at('2035-01-02T00:00:00Z'))
  for (const text of ['soon', '2035-13-01', '2035-02-30', '2035-01-01 25:00', ''])
    assert.throws(() => readTime(text), { status: 400, message: `Unknown string format: ${text}` })
})

test('patterns have five fields, or six with the seconds last', () => {
  assert.equal(nextTime('0 * * * *', NOW), at('2030-03-01T11:00:00Z'))
  assert.equal(nextTime('* * * * * 15', NOW), at('2030-03-01T10:01:15Z'))
  assert.equal(nextTime('@hourly', NOW), at('2030-03-01T11:00:00Z'))
  assert.equal(nextTime('0 2 * * SUN', NOW), at('2030-03-03T02:00:00Z'))
  for (const pattern of ['0 0 30 2 *', '* * *', 'never', '61 * * * *', '* * * * * * *'])
    assert.throws(() => nextTime(pattern, NOW), {
      status: 400,
      message: `The specified pattern is not valid: ${pattern}`,
    })
})

test('a job is planned by its first time, its pattern, or both', () => {
  const ahead = at('2030-03-01T12:10:00Z')
  assert.deepEqual(planOf(undefined, ahead, undefined, NOW), { firstAt: ahead, count: 1 })
  assert.deepEqual(planOf('0 * * * *', undefined, undefined, NOW), {
    firstAt: at('2030-03-01T11:00:00Z'),
    count: null,
  })
  assert.deepEqual(planOf('0 * * * *', at('2030-03-01T12:00:00Z'), 3, NOW), {
    firstAt: at('2030-03-01T12:00:00Z'),
    count: 3,
  })
  const refused = (message: string, ...given: Parameters<typeof planOf>) =>
    assert.throws(() => planOf(...given), { status: 400, message })
  refused('pattern or first_execution_time must be specified.', undefined, undefined, undefined, NOW)
  refused('Execution time must be at least 1 minute in the future.', undefined, NOW + 59_999, undefined, NOW)
  refused('pattern must be provided if count is greater than 1.', undefined, ahead, 2, NOW)
})

const JOB: KeptJob = {
  name: null,
  functionId: 'f',
  functionAlias: null,
  functionVersion: 0,
  functionInput: null,
  status: 'running',
  pattern: '0 * * * *',
  count: 2,
  firstAt: NOW,
  nextAt: at('2030-03-01T11:00:00Z'),
}
const ONCE: KeptJob = { ...JOB, pattern: null, count: 1 }

test('a job that ran goes on after the time that it ran for, and ends with its last run', () => {
  const next = afterRun(JOB)
  assert.deepEqual([next.status, next.count, next.nextAt], ['running', 1, at('2030-03-01T12:00:00Z')])
  assert.deepEqual([afterRun(next).status, afterRun(next).count], ['done', 0])
  assert.equal(afterRun(ONCE).status, 'done')
  assert.equal(afterRun({ ...JOB, count: null }).count, null)
})

test('a job is paused, resumed and called off, and never becomes one of another type', () => {
  const paused = changedJob(JOB, { status: 'paused' }, NOW)
  assert.equal(paused.nextAt, JOB.nextAt)
  const later = at('2030-03-05T10:00:00Z')
  assert.equal(changedJob(paused, { status: 'running' }, later).nextAt, at('2030-03-05T11:00:00Z'))
  assert.equal(changedJob(JOB, { pattern: '30 * * * *' }, NOW).nextAt, JOB.nextAt)
  const refused = (message: string, job: KeptJob, change: Parameters<typeof changedJob>[1], now = NOW) =>
    assert.throws(() => changedJob(job, change, now), { status: 400, message })
  refused('Can not update a finished job.', { ...JOB, status: 'done' }, { name: 'x' })
  refused('Can not change job type.', ONCE, { pattern: '* * * * *' })
  refused('Can not change job type.', JOB, { pattern: '' })
  refused('The specified pattern is not valid: x', JOB, { pattern: 'x' })
  refused('Invalid status.', JOB, { status: 'done' })
  refused('Execution time must be at least 1 minute in the future.', JOB, { nextAt: NOW })
  refused(
    'Execution time must be at least 1 minute in the future.',
    { ...ONCE, status: 'paused' },
    { status: 'running' },
    later,
  )
})

test('filters compare as their operators say', () => {
  for (const [filter, value, expected] of [
    ['a', 'a', true],
    ['eq:a', 'b', false],
    ['neq:a', 'b', true],
    ['in:a,b', 'b', true],
    ['nin:a,b', 'b', false],
    ['has:JOB', 'Created by Job 1', true],
    ['gt:a', 'b', true],
    ['gte:b', 'b', true],
    ['lt:a', 'b', false],
    ['lte:b', 'b', true],
    [undefined, null, true],
    ['neq:a', null, false],
    ['other:a', 'other:a', true],
  ] as const)
    assert.equal(matches(filter, value), expected, `${filter} ${value}`)
})

test('a uuid is known in every form, and what is none is refused', () => {
  const id = '0c9a1b52-6f7e-4f0e-9a3d-2b6f3c1d7e10'
  for (const text of [id, id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, `urn:uuid:${id}`])
    assert.equal(uuidIn('id', text), id)
  assert.throws(() => uuidIn('id', 'x'), {
    message:
      "Invalid input for field/attribute id. Value: 'x'. unable to convert to uuid. Error: Expected a uuid but received x.",
  })
})

test('images that Qinling published are our languages, whoever mirrors them, and no others', () => {
  for (const image of [
    'openstackqinling/python3-runtime:0.0.2',
    'docker.io/openstackqinling/python-runtime',
    'python3',
  ])
    assert.equal(languageOf(image), 'python', image)
  for (const image of ['openstackqinling/nodejs-runtime', 'lingxiankong/nodejs-runtime:1', 'nodejs8'])
    assert.equal(languageOf(image), 'nodejs', image)
  for (const image of ['registry.local/own:1', 'somebody/python3', 'python3x', ''])
    assert.equal(languageOf(image), undefined, image)
})

test('an entry is parted where each runtime parts it', () => {
  assert.equal(entryOf('python', 'a.b.main'), 'a.b:main:qinling')
  assert.equal(entryOf('nodejs', 'a.b'), 'a#b:qinling')
  for (const entry of ['main', '', '.x', 'a.', 'a:b.c', 'a b.c', 'a#b.c'])
    assert.equal(entryOf('python', entry), undefined, entry)
})

test('an archive comes out of its package as it went in', () => {
  for (const size of [0, 1, 511, 512, 513, 5000]) {
    const bytes = Buffer.alloc(size, 7)
    const tar = wrapped(bytes)
    assert.equal(tar.length % 512, 0)
    assert.deepEqual(unwrapped(tar), bytes)
  }
  assert.equal(unwrapped(Buffer.alloc(2048)), undefined)
})

test('the end of an execution is told as Qinling tells it', () => {
  const answered = outcomeOfAnswer(200, ['qinling-duration', '0.5'], Buffer.from('{"n":1.0}'))
  assert.deepEqual(answered, { status: 'success', result: '{"output": {"n": 1.0}, "duration": 0.5}' })
  assert.equal(outcomeOfAnswer(500, ['qinling-duration', '1'], Buffer.from('"no"')).status, 'failed')
  for (const headers of [[], ['qinling-duration', 'long']])
    assert.deepEqual(outcomeOfAnswer(200, headers, Buffer.from('1')), {
      status: 'failed',
      result: '{"output": "Function execution failed."}',
    })
  assert.deepEqual(outcomeOfFailure('FUNCTION_TIMEOUT', '', 5_001), {
    status: 'failed',
    result: '{"output": "Function execution timeout.", "duration": 5.001}',
  })
  assert.match(
    outcomeOfFailure('FUNCTION_OUT_OF_MEMORY', '', 1).result ?? '',
    /too much resource consumption/,
  )
  assert.deepEqual(outcomeOfFailure('BACKEND_FAILED', 'no room', 1), {
    status: 'error',
    result: '{"output": "Function execution failed."}',
  })
})

test('what is counted at once is written together, and nothing is lost', async () => {
  const written: number[] = []
  const tally = new Tally(async (_key, more) => {
    await new Promise(resolve => setImmediate(resolve))
    written.push(more)
  })
  await Promise.all(Array.from({ length: 50 }, () => tally.add('a')))
  await tally.add('a')
  assert.equal(
    written.reduce((sum, each) => sum + each, 0),
    51,
  )
  assert.ok(written.length < 10)
})
