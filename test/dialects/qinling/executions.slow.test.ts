import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError, type ErrorCode } from '../../../src/core/index.ts'
import { Cloud, fill, form, NOBODY, output, TIME, UUID } from './cloud.ts'

const run = (cloud: Cloud, body: object) => cloud.must(201, 'POST', '/v1/executions', { body })

test('a synchronous execution is answered when it has ended, shown, listed and deleted', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  cloud.at.behaviour = () => output('"Hi Ann"')
  cloud.at.logs.set('any', ['one', 'two'])
  const made = await run(cloud, {
    function_id: id,
    input: '{"name":"Ann","n":1.0}',
    description: 'first',
    function_version: null,
    function_alias: null,
  })
  assert.match(made.json.id, UUID)
  assert.match(made.json.created_at, TIME)
  assert.deepEqual(
    { ...made.json, id: '', created_at: '', updated_at: '' },
    {
      id: '',
      function_id: id,
      function_version: 0,
      function_alias: null,
      description: 'first',
      status: 'success',
      sync: true,
      input: '{"name": "Ann", "n": 1.0}',
      result: '{"output": "Hi Ann", "duration": 0.031}',
      project_id: cloud.bluePrincipal.projectId,
      created_at: '',
      updated_at: '',
    },
  )
  const [call] = cloud.at.calls
  assert.equal(String(call!.body), '{"name":"Ann","n":1.0}')
  const headers = Object.fromEntries(
    call!.headers.flatMap((name, i) => (i % 2 === 0 ? [[name, call!.headers[i + 1]]] : [])),
  )
  assert.deepEqual([headers['qinling-execution-id'], headers['qinling-timeout-ms']], [made.json.id, '5000'])
  const path = `/v1/executions/${made.json.id}`
  assert.deepEqual((await cloud.must(200, 'GET', path)).json, made.json)
  const log = await cloud.must(200, 'GET', `${path}/log`)
  assert.deepEqual([log.text, log.headers.get('content-type')], ['one\ntwo\n', 'text/plain; charset=UTF-8'])
  await cloud.refused(406, 'The log is text/plain.', 'GET', `${path}/log`, {
    headers: { accept: 'application/json' },
  })
  cloud.at.logs.clear()
  assert.deepEqual((await cloud.must(204, 'GET', `${path}/log`)).text, '')
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.count, 1)
  await cloud.must(204, 'DELETE', path)
  await cloud.refused(404, `Execution not found [id=${made.json.id}]`, 'GET', path)
})

test('a list tells inputs and results up to a size, and each is whole by its id', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const input = 'x'.repeat(5 * 1024 * 1024)
  for (let i = 0; i < 4; i++) await run(cloud, { function_id: id, input })
  const { executions } = (await cloud.must(200, 'GET', '/v1/executions')).json
  assert.deepEqual(
    executions.map((each: { input: string | null }) => each.input?.length),
    [input.length, input.length, input.length, undefined],
  )
  const last = await cloud.must(200, 'GET', `/v1/executions/${executions[3].id}`)
  assert.equal(last.json.input, input)
})

test('long inputs and results fill no more than their part of the disk', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const long = 'x'.repeat(20_000)
  const { projectId } = cloud.bluePrincipal
  await fill(cloud, 'qinling.text', projectId, 7_456, '')
  const refused = await cloud.ask('POST', '/v1/executions', { body: { function_id: id, input: long } })
  assert.deepEqual([refused.status, refused.json.faultstring.includes('256 MiB')], [403, true])
  assert.deepEqual((await cloud.must(200, 'GET', '/v1/executions')).json.executions, [])
  cloud.at.behaviour = () => output(JSON.stringify(long))
  const made = await run(cloud, { function_id: id, input: 'short' })
  assert.equal(made.json.status, 'success')
  assert.match(made.json.result, /256 MiB of long inputs and results/)
})

test('an input is named arguments, or a text without a name', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  for (const [input, shown, sent] of [
    [undefined, null, null],
    [null, null, null],
    ['null', null, null],
    ['{}', '{}', '{}'],
    ['Bob', 'Bob', '{"__function_input":"Bob"}'],
    ['42', '42', '{"__function_input":"42"}'],
    ['[1, 2]', '[1, 2]', '{"__function_input":"[1, 2]"}'],
    ['"text"', '"text"', '{"__function_input":"\\"text\\""}'],
    ['true', 'true', '{"__function_input":"true"}'],
    ['', '', '{"__function_input":""}'],
    ['{"__function_input": "x"}', 'x', '{"__function_input": "x"}'],
  ] as const) {
    const made = await run(cloud, { function_id: id, ...(input !== undefined && { input }) })
    assert.equal(made.json.input, shown)
    const body = cloud.at.calls.at(-1)!.body
    assert.equal(body ? String(body) : null, sent)
  }
})

for (const [code, status, result] of [
  ['FUNCTION_TIMEOUT', 'failed', /"output": "Function execution timeout\."/],
  ['FUNCTION_OUT_OF_MEMORY', 'failed', /too much resource consumption/],
  ['FUNCTION_CRASHED', 'failed', /too much resource consumption/],
  ['FUNCTION_LOAD_FAILED', 'failed', /what went wrong/],
  ['BACKEND_FAILED', 'error', /^\{"output": "Function execution failed\."\}$/],
  ['TOO_MANY_REQUESTS', 'error', /^\{"output": "Function execution failed\."\}$/],
] as const)
  test(`an execution that ends with ${code} is "${status}", and still 201`, async t => {
    const cloud = await Cloud.open(t)
    const id = await cloud.made()
    cloud.at.behaviour = () => {
      throw new AtelierError(code satisfies ErrorCode, 'what went wrong')
    }
    const made = await run(cloud, { function_id: id })
    assert.equal(made.json.status, status)
    assert.match(made.json.result, result)
    assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.count, 1)
  })

test('a function that fails gives a failed execution with what it said', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  cloud.at.behaviour = () => output('"not today"', 500, 1.5)
  const made = await run(cloud, { function_id: id })
  assert.deepEqual(
    [made.json.status, made.json.result],
    ['failed', '{"output": "not today", "duration": 1.5}'],
  )
})

test('an asynchronous execution runs until its call has ended', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const made = await run(cloud, { function_id: id, sync: false, input: '{"a":1}' })
  assert.deepEqual([made.json.status, made.json.result, made.json.sync], ['running', null, false])
  const [call] = cloud.at.accepted
  assert.equal(String(call!.body), '{"a":1}')
  const path = `/v1/executions/${made.json.id}`
  assert.equal((await cloud.must(200, 'GET', path)).json.status, 'running')
  const callId = cloud.at.acceptedIds.at(-1)!
  cloud.at.ends.set(callId, {
    call: { state: 'succeeded', httpStatus: 200 },
    answer: { status: 200, headers: ['qinling-duration', '0.1'], body: Buffer.from('[1, 2]') },
  })
  const listed = await cloud.must(200, 'GET', '/v1/executions?status=success')
  assert.deepEqual(
    listed.json.executions.map((each: { result: string }) => each.result),
    ['{"output": [1, 2], "duration": 0.1}'],
  )
  assert.equal((await cloud.must(200, 'GET', path)).json.status, 'success')

  const lost = await run(cloud, { function_id: id, sync: false })
  cloud.at.ends.set(cloud.at.acceptedIds.at(-1)!, {
    call: {
      state: 'failed',
      httpStatus: 0,
      startedAt: 1_000,
      endedAt: 6_500,
      lastFailure: { kind: 'timeout', code: 'FUNCTION_TIMEOUT', message: '' },
    },
  })
  const ended = await cloud.must(200, 'GET', `/v1/executions/${lost.json.id}`)
  assert.deepEqual(
    [ended.json.status, ended.json.result],
    ['failed', '{"output": "Function execution timeout.", "duration": 5.5}'],
  )
})

test('an execution that nobody ends is an error in the end', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const made = await run(cloud, { function_id: id, sync: false })
  cloud.at.fixture.clock.advance(24 * 3_600_000)
  const again = await cloud.at.login('blue') // a day later
  const shown = await cloud.must(200, 'GET', `/v1/executions/${made.json.id}`, { token: again.token })
  assert.deepEqual([shown.json.status, shown.json.result], ['error', null])
})

test('inputs and results of any length are kept whole', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const long = JSON.stringify({ text: '\u0001é'.repeat(60_000) })
  const big = JSON.stringify('x'.repeat(300_000))
  cloud.at.behaviour = () => output(big)
  const made = await run(cloud, { function_id: id, input: long })
  assert.deepEqual(JSON.parse(made.json.input), JSON.parse(long))
  const shown = await cloud.must(200, 'GET', `/v1/executions/${made.json.id}`)
  assert.deepEqual(JSON.parse(shown.json.result), { output: 'x'.repeat(300_000), duration: 0.031 })
  await cloud.must(204, 'DELETE', `/v1/executions/${made.json.id}`)
})

test('executions are listed oldest first, by filters', async t => {
  const cloud = await Cloud.open(t)
  const runtime = await cloud.runtime()
  const one = await cloud.made({ runtime_id: runtime })
  const two = await cloud.made({ runtime_id: runtime })
  for (const [function_id, description] of [
    [one, 'Created by Job 7'],
    [two, 'other'],
    [one, 'other'],
  ]) {
    await run(cloud, { function_id, description })
    cloud.at.fixture.clock.advance(1)
  }
  const listed = async (query: string): Promise<unknown[]> =>
    (await cloud.must(200, 'GET', `/v1/executions?${query}`)).json.executions.map(
      (each: { function_id: string; description: string }) => [each.function_id, each.description],
    )
  assert.equal((await listed('')).length, 3)
  assert.deepEqual(await listed(`function_id=${one}`), [
    [one, 'Created by Job 7'],
    [one, 'other'],
  ])
  assert.deepEqual(await listed('description=has:Job'), [[one, 'Created by Job 7']])
  assert.deepEqual(await listed('status=failed'), [])
  assert.equal((await listed(`function_id=in:${one},${two}&status=nin:failed,error`)).length, 3)
})

test('what cannot be executed is refused', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const refused = (status: number, message: string | RegExp, body: unknown, headers = {}) =>
    cloud.refused(status, message, 'POST', '/v1/executions', { body, headers })
  await refused(400, 'Either function_alias or function_id must be provided.', {})
  await refused(404, `Function not found [id=${NOBODY}]`, { function_id: NOBODY })
  await refused(404, 'FunctionAlias not found [name=x]', { function_alias: 'x' })
  await refused(404, `FunctionVersion not found [function_id=${id}, version_number=7]`, {
    function_id: id,
    function_version: 7,
  })
  await refused(400, /Value should be greater or equal to 0$/, { function_id: id, function_version: -1 })
  await refused(400, /Unable to convert to integer\.$/, { function_id: id, function_version: 'one' })
  await refused(400, /Wrong type\. Expected '<class 'str'>', got '<class 'dict'>'$/, {
    function_id: id,
    input: {},
  })
  await refused(400, /Unable to convert to boolean\.$/, { function_id: id, sync: 'maybe' })
  await refused(400, 'Unknown attribute for argument body: foo', { foo: 1 })
  await refused(400, /Cannot set read only field\.$/, { function_id: id, status: 'success' })
  await refused(400, /Expected a uuid but received x\.$/, { function_id: 'x' })
  await refused(400, /maximum character requirement of 255$/, {
    function_id: id,
    description: 'x'.repeat(256),
  })
  await refused(400, 'Request is not in valid JSON format', '{')
  await refused(400, 'Request is not in valid JSON format', '[]')
  await refused(400, 'Missing argument: "body"', '')
  await refused(415, 'Unknown mimetype: text/plain', 'x', { 'content-type': 'text/plain' })
  await refused(400, 'Unknown argument: "a"', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' })
  assert.deepEqual(cloud.at.calls, [])
  const words = await run(cloud, { function_id: id, sync: 'true', function_version: '0' })
  assert.equal(words.json.status, 'success')
})

test('a function is not executed while its runtime is not available', async t => {
  const cloud = await Cloud.open(t)
  const runtime = await cloud.runtime()
  const id = await cloud.made({ runtime_id: runtime })
  await cloud.must(200, 'PUT', `/v1/runtimes/${runtime}`, {
    token: cloud.admin,
    body: { image: 'missing/own:1' },
  })
  assert.equal(await cloud.settled(runtime), 'error')
  await cloud.refused(409, `Runtime ${runtime} is not available.`, 'POST', '/v1/executions', {
    body: { function_id: id },
  })
})

test('many executions at once are all counted', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  await Promise.all(Array.from({ length: 30 }, () => run(cloud, { function_id: id })))
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.count, 30)
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({ name: 'counted' }) })
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.count, 30)
})
