import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cloud, fill, NOBODY } from './cloud.ts'

const HOUR_MS = 3_600_000

/** Lets time pass, second by second as the jobs see it, until `condition` holds. */
async function pass(cloud: Cloud, ms: number, condition: () => boolean): Promise<void> {
  cloud.at.fixture.clock.advance(ms)
  for (let tries = 0; tries < 400 && !condition(); tries++) {
    cloud.at.fixture.clock.advance(1_000)
    await sleep(5)
  }
}

test('a job runs when it is due, as often as it may, and then is done', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const made = await cloud.must(201, 'POST', '/v1/jobs', {
    body: {
      function_id: id,
      function_alias: null,
      function_version: 0,
      name: 'nightly',
      pattern: '0 * * * *',
      count: 2,
      function_input: '{"day": 1}',
      first_execution_time: null,
    },
  })
  assert.equal(made.json.status, 'running')
  assert.match(made.json.next_execution_time, /:00:00Z$/)
  assert.equal(made.json.first_execution_time, made.json.next_execution_time)
  assert.equal(cloud.at.accepted.length, 0)
  await pass(cloud, HOUR_MS, () => cloud.at.accepted.length === 1)
  await pass(cloud, HOUR_MS, () => cloud.at.accepted.length === 2)
  assert.deepEqual(
    cloud.at.accepted.map(each => String(each.body)),
    ['{"day": 1}', '{"day": 1}'],
  )
  const { token } = await cloud.at.login('blue')
  for (let tries = 0; tries < 400; tries++) {
    const shown = await cloud.must(200, 'GET', `/v1/jobs/${made.json.id}`, { token })
    if (shown.json.status === 'done') break
    await sleep(5)
  }
  const shown = await cloud.must(200, 'GET', `/v1/jobs/${made.json.id}`, { token })
  assert.deepEqual([shown.json.status, shown.json.count], ['done', 0])
  const runs = await cloud.must(200, 'GET', `/v1/executions?description=has:${made.json.id}`, { token })
  assert.equal(runs.json.executions.length, 2)
  assert.equal(runs.json.executions[0].description, `Created by Job ${made.json.id}`)
  await cloud.refused(400, 'Can not update a finished job.', 'PUT', `/v1/jobs/${made.json.id}`, {
    token,
    body: { name: 'x' },
  })
})

test('jobs of one project are bounded, and keep none of another from running', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  await fill(cloud, 'qinling.job', 'red', 10_000, { status: 'done', nextAt: 0 })
  cloud.at.fixture.clock.advance(1_000)
  await cloud.must(201, 'POST', '/v1/jobs', { body: { function_id: id, pattern: '0 * * * *', count: 1 } })
  await pass(cloud, HOUR_MS, () => cloud.at.accepted.length === 1)
  assert.equal(cloud.at.accepted.length, 1)
  await fill(cloud, 'qinling.job', cloud.bluePrincipal.projectId, 999, { status: 'done', nextAt: 0 })
  const { token } = await cloud.at.login('blue')
  const body = { function_id: id, pattern: '0 * * * *' }
  const refused = await cloud.ask('POST', '/v1/jobs', { token, body })
  assert.deepEqual([refused.status, refused.json.faultstring.includes('at most 1000')], [403, true])
})

test('a job follows its alias, and one that cannot run stands in no other\u2019s way', async t => {
  const cloud = await Cloud.open(t)
  const runtime = await cloud.runtime()
  const [one, two] = [await cloud.made({ runtime_id: runtime }), await cloud.made({ runtime_id: runtime })]
  await cloud.must(201, 'POST', '/v1/aliases', { body: { name: 'prod', function_id: one } })
  await cloud.must(201, 'POST', '/v1/jobs', { body: { function_alias: 'prod', pattern: '0 * * * *' } })
  await cloud.must(201, 'POST', '/v1/jobs', { body: { function_id: one, pattern: '0 * * * *' } })
  await cloud.must(200, 'PUT', '/v1/aliases/prod', { body: { function_id: two } })
  // As if the alias had vanished under another job.
  const { records } = cloud.at
  const now = cloud.at.fixture.clock.now()
  const projectId = cloud.bluePrincipal.projectId
  const body = {
    name: null,
    functionId: null,
    functionAlias: 'gone',
    functionVersion: 0,
    functionInput: null,
    status: 'running',
    pattern: '0 * * * *',
    count: null,
    firstAt: now,
    nextAt: now + HOUR_MS / 2,
  }
  await records.insert({ id: NOBODY, kind: 'qinling.job', projectId, body })
  await pass(cloud, HOUR_MS, () => cloud.at.accepted.length >= 2)
  const { functions } = cloud.at.fixture.table
  const names = cloud.at.accepted.map(each => functions.get(each.functionId)!.name)
  assert.deepEqual(new Set(names), new Set([one, two]))
})

test('a job that is paused does not run, and what a job cannot be is refused', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const refused = (status: number, message: string | RegExp, body: object) =>
    cloud.refused(status, message, 'POST', '/v1/jobs', { body })
  await refused(400, 'Either function_alias or function_id must be provided.', { pattern: '0 * * * *' })
  await refused(400, 'pattern or first_execution_time must be specified.', { function_id: id })
  await refused(400, 'The specified pattern is not valid: 0 0 30 2 *', {
    function_id: id,
    pattern: '0 0 30 2 *',
  })
  await refused(400, 'Unknown string format: soon', { function_id: id, first_execution_time: 'soon' })
  await refused(400, 'Execution time must be at least 1 minute in the future.', {
    function_id: id,
    first_execution_time: '2001-01-01 00:00:00',
  })
  await refused(404, `Function not found [id=${NOBODY}]`, { function_id: NOBODY, pattern: '0 * * * *' })
  await refused(404, /^FunctionVersion not found/, {
    function_id: id,
    function_version: 5,
    pattern: '0 * * * *',
  })
  await refused(400, /maximum character requirement of 32$/, { function_id: id, pattern: '*'.repeat(33) })
  await refused(400, 'Unknown attribute for argument job: foo', { foo: 1 })

  const made = await cloud.must(201, 'POST', '/v1/jobs', {
    body: { function_id: id, pattern: '0 * * * *', status: 'done', next_execution_time: 'ignored' },
  })
  assert.deepEqual([made.json.status, made.json.count], ['running', null])
  const path = `/v1/jobs/${made.json.id}`
  const paused = await cloud.must(200, 'PUT', path, {
    body: { name: null, status: 'paused', pattern: null, function_input: null, next_execution_time: null },
  })
  assert.equal(paused.json.status, 'paused')
  cloud.at.fixture.clock.advance(2 * HOUR_MS)
  for (let i = 0; i < 20; i++) {
    cloud.at.fixture.clock.advance(1_000)
    await sleep(5)
  }
  assert.equal(cloud.at.accepted.length, 0)
  const { token } = await cloud.at.login('blue')
  await cloud.refused(400, 'Invalid status.', 'PUT', path, { token, body: { status: 'done' } })
  const resumed = await cloud.must(200, 'PUT', path, { token, body: { status: 'running' } })
  assert.ok(Date.parse(resumed.json.next_execution_time) > cloud.at.fixture.clock.now())
  await cloud.must(204, 'DELETE', path, { token })
})
