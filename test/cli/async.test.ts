import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ASYNC_SETTINGS_DEFAULT } from '../../src/core/index.ts'
import { type Answer, atelier, freshHome, json, playApi, problem } from './fixture.ts'

const HELLO = '/v1/apps/default/functions/hello'
const CALLS = '/v1/async-invocations'

async function asking(t: TestContext, answers: Readonly<Record<string, Answer>>) {
  const home = await freshHome(t)
  const { url, seen } = await playApi(t, answers)
  const run = (...args: string[]) => atelier(home, args, { env: { ATELIER_URL: url, ATELIER_TOKEN: 't' } })
  return { seen, run }
}

const call = (state: string, more: object = {}) => ({
  id: 'c1',
  appName: 'default',
  functionName: 'hello',
  trigger: 'invoke',
  state,
  attempts: 1,
  acceptedAt: '2026-01-01T00:00:00.000Z',
  dueAt: '2026-01-01T00:00:00.000Z',
  httpStatus: 0,
  resultBytes: 0,
  ...more,
})

const accepted: Answer = json({ id: 'c1', state: 'accepted', duplicate: false, url: 'u' }, 202)

test('invoke --async says what is asked in headers and prints the id', async t => {
  const { seen, run } = await asking(t, { [`POST ${HELLO}/invoke`]: accepted })
  const { code, stdout, stderr } = await run(
    'invoke',
    'hello',
    '-d',
    'x',
    '--async',
    '--delay',
    '5m',
    '--ordering-key',
    'k',
    '--idempotency-key',
    'i',
    '--max-age',
    '2h',
    '--attempts',
    '4',
  )
  assert.equal(code, 0, stderr)
  assert.equal(stdout, 'c1\n')
  const { headers } = seen[0]!
  assert.equal(headers['prefer'], 'respond-async')
  assert.equal(headers['atelier-delay'], '300000ms')
  assert.equal(headers['atelier-ordering-key'], 'k')
  assert.equal(headers['idempotency-key'], 'i')
  assert.equal(headers['atelier-max-age'], '7200000ms')
  assert.equal(headers['atelier-attempts'], '4')
})

test('invoke --async --wait waits for the end and prints the answer', async t => {
  let asked = 0
  const { run } = await asking(t, {
    [`POST ${HELLO}/invoke`]: accepted,
    [`GET ${CALLS}/c1`]: (seen, response, request) => {
      const state = ++asked < 3 ? 'running' : 'succeeded'
      json(call(state, { httpStatus: 200 }))(seen, response, request)
    },
    [`GET ${CALLS}/c1/result`]: (_, response) =>
      response.writeHead(200, { 'atelier-result-status': '200' }).end('the answer'),
  })
  const { code, stdout } = await run('invoke', 'hello', '-d', 'x', '--async', '--wait')
  assert.equal(code, 0)
  assert.equal(stdout, 'the answer')
  assert.equal(asked, 3)
})

test('a call that failed without an answer is exit code 1 with the reason', async t => {
  const failure = { kind: 'crash', code: 'FUNCTION_CRASHED', message: 'It ended.' }
  const { run } = await asking(t, {
    [`POST ${HELLO}/invoke`]: accepted,
    [`GET ${CALLS}/c1`]: json(call('failed', { lastFailure: failure })),
  })
  const { code, stderr } = await run('invoke', 'hello', '-d', 'x', '--async', '--wait')
  assert.equal(code, 1)
  assert.match(stderr, /the call has failed[^]*FUNCTION_CRASHED It ended\.[^]*atelier logs --invocation c1/)
})

test('options for a later call without --async are a mistake', async t => {
  const { run } = await asking(t, {})
  for (const args of [['--delay', '1s'], ['--wait'], ['--attempts', '2']]) {
    const { code, stderr } = await run('invoke', 'hello', '-d', 'x', ...args)
    assert.equal(code, 2)
    assert.match(stderr, /--async/)
  }
})

test('lists, shows and waits', async t => {
  const { seen, run } = await asking(t, {
    [`GET ${CALLS}`]: json({ items: [call('failed', { triggerName: 'nightly' })] }),
    [`GET ${CALLS}/c1`]: json(call('failed')),
  })
  const listed = await run(
    'async',
    'list',
    '-f',
    'hello',
    '--state',
    'failed',
    '--trigger',
    'schedule/nightly',
  )
  assert.match(listed.stdout, /c1 +default\/hello .* failed +1 .*nightly/)
  const { query } = seen[0]!
  assert.deepEqual(
    ['app', 'function', 'state', 'trigger', 'triggerName'].map(name => query.get(name)),
    ['default', 'hello', 'failed', 'schedule', 'nightly'],
  )
  assert.match((await run('async', 'show', 'c1')).stdout, /state +failed/)
  const waited = await run('async', 'wait', 'c1', '--timeout', '1s')
  assert.equal(waited.code, 1)
})

test('cancel and redrive take one id or a filter, not both', async t => {
  const { seen, run } = await asking(t, {
    [`POST ${CALLS}/c1/cancel`]: json(call('cancelled')),
    [`POST ${CALLS}/redrive`]: json({ count: 3 }),
    [`POST ${CALLS}/forget`]: json({ count: 1 }),
    [`POST ${CALLS}/c9/redrive`]: problem(409, 'The call c9 has succeeded.'),
  })
  assert.equal((await run('async', 'cancel', 'c1')).stdout, 'c1 is called off.\n')
  assert.equal((await run('async', 'redrive', '-f', 'hello', '--yes')).stdout, '3 calls are queued again.\n')
  assert.deepEqual(JSON.parse(seen[1]!.body), { app: 'default', function: 'hello' })
  assert.equal((await run('async', 'forget', '--state', 'failed', '--yes')).stdout, '1 call is forgotten.\n')
  assert.deepEqual(JSON.parse(seen[2]!.body), { states: ['failed'] })
  assert.equal((await run('async', 'cancel', 'c1', '-f', 'hello')).code, 2)
  const conflict = await run('async', 'redrive', 'c9')
  assert.equal(conflict.code, 6)
  assert.match(conflict.stderr, /has succeeded/)
})

test('configure shows what holds, and changes what is given', async t => {
  const answer = json({ async: ASYNC_SETTINGS_DEFAULT })
  const { seen, run } = await asking(t, { [`GET ${HELLO}`]: answer, [`PATCH ${HELLO}`]: answer })
  assert.match((await run('async', 'configure', 'hello')).stdout, /attempts +3/)
  await run(
    'async',
    'configure',
    'hello',
    '--attempts',
    '5',
    '--retry-delay',
    '10s',
    '--retry-on',
    'crash',
    '--on-failure',
    'topic:failed',
    '--on-success',
    'shop/next:beta',
    '--max-age',
    '1d',
  )
  assert.deepEqual(JSON.parse(seen[1]!.body), {
    async: {
      retry: { attemptsMax: 5, delayMs: 10_000, on: ['crash'] },
      maxAgeMs: 86_400_000,
      onFailure: { kind: 'topic', topic: 'failed' },
      onSuccess: { kind: 'function', app: 'shop', function: 'next', alias: 'beta' },
    },
  })
  await run('async', 'configure', 'hello', '--defaults', '--on-success', 'none')
  const { async } = JSON.parse(seen[2]!.body) as { async: Record<string, unknown> }
  assert.equal(async['retry'], null)
  assert.equal(async['onSuccess'], null)
  await run('async', 'pause', 'hello')
  assert.deepEqual(JSON.parse(seen[3]!.body), { async: { paused: true } })
})
