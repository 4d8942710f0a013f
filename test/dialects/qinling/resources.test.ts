import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstanceView } from '../../../src/pool/index.ts'
import { Cloud, codeOf, form, NOBODY, PYTHON, TIME, zip } from './cloud.ts'

test('a runtime is made, shown, listed to others unless it is private, changed and deleted', async t => {
  const cloud = await Cloud.open(t)
  const token = cloud.admin
  const made = await cloud.must(201, 'POST', '/v1/runtimes', {
    token,
    body: { image: PYTHON, name: 'python3', is_public: 'true', trusted: 0 },
  })
  const path = `/v1/runtimes/${made.json.id}`
  assert.match(made.json.created_at, TIME)
  assert.deepEqual(
    [made.json.name, made.json.status, made.json.is_public, made.json.trusted, made.json.updated_at],
    ['python3', 'creating', true, false, null],
  )
  assert.equal((await cloud.must(200, 'GET', path)).json.status, 'available')
  const hidden = await cloud.runtime({ is_public: false })
  const listed = await cloud.must(200, 'GET', '/v1/runtimes')
  assert.deepEqual(
    listed.json.runtimes.map((each: { id: string }) => each.id),
    [made.json.id],
  )
  await cloud.refused(404, `Runtime not found [id=${hidden}]`, 'GET', `/v1/runtimes/${hidden}`)

  const renamed = await cloud.must(200, 'PUT', path, { token, body: { name: 'new', is_public: false } })
  assert.deepEqual(
    [renamed.json.name, renamed.json.is_public, renamed.json.status],
    ['new', true, 'available'],
  )
  const id = await cloud.made({ runtime_id: made.json.id })
  await cloud.refused(403, `Runtime ${made.json.id} is still in use.`, 'DELETE', path, { token })
  const upgraded = await cloud.must(200, 'PUT', path, { token, body: { image: 'nodejs' } })
  assert.deepEqual([upgraded.json.status, upgraded.json.image], ['upgrading', 'nodejs'])
  assert.equal((await cloud.must(200, 'GET', path)).json.status, 'available')
  await cloud.must(204, 'DELETE', `/v1/functions/${id}`)
  await cloud.must(204, 'DELETE', path, { token })
  await cloud.refused(404, `Runtime not found [id=${made.json.id}]`, 'GET', path)
})

test('a runtime that cannot be is refused, and one whose image is not to be had is an error', async t => {
  const cloud = await Cloud.open(t)
  const token = cloud.admin
  const refused = (message: string | RegExp, body: object) =>
    cloud.refused(400, message, 'POST', '/v1/runtimes', { token, body })
  await refused("Required param is missing. Required: {'image'}", { name: 'x' })
  await refused('Unknown attribute for argument runtime: foo', { image: 'x', foo: 1 })
  await refused(/Cannot set read only field\.$/, { image: 'x', status: 'available' })
  await refused(/Wrong type\. Expected '<class 'str'>', got '<class 'int'>'$/, { image: 'x', name: 1 })
  const id = await cloud.runtime({ image: 'missing/own:1' })
  assert.equal(await cloud.settled(id), 'error')
  await cloud.refused(409, `Runtime ${id} is not available.`, 'PUT', `/v1/runtimes/${id}`, {
    token,
    body: { image: PYTHON },
  })
})

test('versions are numbered, frozen with entry and limits, downloaded and deleted, and no number comes twice', async t => {
  const cloud = await Cloud.open(t)
  const [one, two, three] = [zip('x = 1'), zip('x = 2'), zip('x = 3')]
  const id = await cloud.made({ entry: 'main.first', cpu: '200' }, one)
  const path = `/v1/functions/${id}/versions`
  const upload = (archive: Buffer) =>
    cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({ code: codeOf(archive) }, archive) })
  const first = await cloud.must(201, 'POST', path, { body: { description: 'first' } })
  assert.deepEqual(
    { ...first.json, id: '', created_at: '' },
    {
      id: '',
      description: 'first',
      function_id: id,
      version_number: 1,
      count: 0,
      project_id: cloud.bluePrincipal.projectId,
      created_at: '',
      updated_at: null,
    },
  )
  await cloud.refused(403, 'Function package not changed since the latest version 1.', 'POST', path, {
    body: {},
  })
  await upload(two)
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({ entry: 'main.second', cpu: '300' }) })
  const run = await cloud.must(201, 'POST', '/v1/executions', {
    body: { function_id: id, function_version: 1 },
  })
  assert.equal(run.json.function_version, 1)
  const { target } = cloud.at.calls.at(-1)!
  const frozen = target.versions.get(target.aliases.get('live')![0]!.version)!
  assert.deepEqual([frozen.entry, frozen.limits.cpuMillicores], ['main:first:qinling', 200])
  assert.equal((await cloud.must(200, 'GET', `${path}/1`)).json.count, 1)
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.count, 0)

  assert.equal((await cloud.must(201, 'POST', path, { body: {} })).json.version_number, 2)
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.latest_version, 2)
  for (const [number, archive] of [
    [1, one],
    [2, two],
  ] as const) {
    const response = await fetch(`${cloud.at.url}${path}/${number}?download=true`, {
      headers: { 'x-auth-token': cloud.blue },
    })
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), archive)
    assert.equal(response.headers.get('content-disposition'), `attachment; filename="${id}_${number}"`)
  }
  await cloud.must(204, 'DELETE', `${path}/2`)
  assert.equal((await cloud.must(200, 'GET', `/v1/functions/${id}`)).json.latest_version, 1)
  await upload(three)
  assert.equal((await cloud.must(201, 'POST', path, { body: {} })).json.version_number, 3)
  const listed = await cloud.must(200, 'GET', path)
  assert.deepEqual(
    listed.json.function_versions.map((each: { version_number: number }) => each.version_number),
    [1, 3],
  )
  await cloud.refused(
    404,
    `FunctionVersion not found [function_id=${id}, version_number=0]`,
    'GET',
    `${path}/0`,
  )
  await cloud.refused(400, /Unable to convert to integer\.$/, 'GET', `${path}/abc`)
  await cloud.refused(400, 'Missing argument: "body"', 'POST', path)
})

test('a version that is used is not deleted, and there are ten at most', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const path = `/v1/functions/${id}/versions`
  await cloud.must(201, 'POST', path, { body: {} })
  const body = { function_id: id, function_version: 1 }
  const refused = (why: string) =>
    cloud.refused(403, `The function version is still associated with ${why}.`, 'DELETE', `${path}/1`)
  const job = await cloud.must(201, 'POST', '/v1/jobs', { body: { ...body, pattern: '0 * * * *' } })
  await refused('running job(s)')
  await cloud.must(204, 'DELETE', `/v1/jobs/${job.json.id}`)
  const webhook = await cloud.must(201, 'POST', '/v1/webhooks', { body })
  await refused('webhook')
  await cloud.must(204, 'DELETE', `/v1/webhooks/${webhook.json.id}`)
  await cloud.must(201, 'POST', '/v1/aliases', { body: { ...body, name: 'prod' } })
  await refused('alias')
  for (let i = 2; i <= 10; i++) {
    const archive = zip(`x = ${i}`)
    await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({}, archive) })
    await cloud.must(201, 'POST', path, { body: {} })
  }
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({}, zip('x = 11')) })
  await cloud.refused(403, 'Can not exceed maximum number(10) of versions', 'POST', path, { body: {} })
})

test('an alias names a version, moves at once, and is one for each name and each version', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  await cloud.must(201, 'POST', `/v1/functions/${id}/versions`, { body: {} })
  const made = await cloud.must(201, 'POST', '/v1/aliases', {
    body: { name: 'prod', function_id: id, function_version: '1', description: '' },
  })
  assert.deepEqual([made.json.function_version, made.json.description], [1, ''])
  const refused = (status: number, message: string | RegExp, body: object) =>
    cloud.refused(status, message, 'POST', '/v1/aliases', { body })
  await refused(400, /^Required param is missing\./, { name: 'x' })
  await refused(400, /^Required param is missing\./, { function_id: id })
  await refused(400, /^Duplicate entry for function_aliases: /, { name: 'prod', function_id: id })
  await refused(400, /^Duplicate entry for function_aliases: /, {
    name: 'other',
    function_id: id,
    function_version: 1,
  })
  await refused(404, `Function not found [id=${NOBODY}]`, { name: 'x', function_id: NOBODY })
  await refused(404, /^FunctionVersion not found/, { name: 'x', function_id: id, function_version: 9 })

  const run = () =>
    cloud.must(201, 'POST', '/v1/executions', { body: { function_alias: 'prod', function_id: null } })
  const before = await run()
  assert.deepEqual(
    [before.json.function_alias, before.json.function_id, before.json.function_version],
    ['prod', id, 1],
  )
  await cloud.must(200, 'PUT', '/v1/aliases/prod', {
    body: { function_id: null, function_version: '0', description: 'moved', name: 'ignored' },
  })
  assert.equal((await run()).json.function_version, 0)
  const shown = await cloud.must(200, 'GET', '/v1/aliases/prod')
  assert.deepEqual([shown.json.name, shown.json.description], ['prod', 'moved'])
  const job = await cloud.must(201, 'POST', '/v1/jobs', {
    body: { function_alias: 'prod', pattern: '0 * * * *' },
  })
  assert.deepEqual([job.json.function_alias, job.json.function_id], ['prod', null])
  await cloud.refused(
    403,
    'The function alias is still associated with running job(s).',
    'DELETE',
    '/v1/aliases/prod',
  )
  await cloud.must(204, 'DELETE', `/v1/jobs/${job.json.id}`)
  await cloud.must(204, 'DELETE', '/v1/aliases/prod')
  await cloud.refused(404, 'FunctionAlias not found [name=prod]', 'GET', '/v1/aliases/prod')
})

test('workers are the instances of the pool: shown, asked for, and released', async t => {
  const cloud = await Cloud.open(t)
  const token = cloud.admin
  const id = await cloud.made()
  await cloud.must(201, 'POST', `/v1/functions/${id}/versions`, { body: {} })
  const functions = [...cloud.at.fixture.table.functions.values()]
  const instance = (number: number, name: string): InstanceView => ({
    id: `${name}-${number}`,
    environment: 'python',
    state: 'idle',
    functionId: functions.find(each => each.name === name)!.id,
    inFlight: 0,
    calls: 1,
    startedAt: 0,
    memoryBytes: 0,
  })
  cloud.at.instances = [
    instance(1, id),
    instance(2, id),
    instance(3, `${id}-1`),
    { ...instance(4, id), state: 'draining' },
    {
      id: 'free',
      environment: 'python',
      state: 'generic',
      inFlight: 0,
      calls: 0,
      startedAt: 0,
      memoryBytes: 0,
    },
  ]
  const workers = async (version: number): Promise<unknown> =>
    (await cloud.must(200, 'GET', `/v1/functions/${id}/workers/?function_version=${version}`, { token })).json
      .workers
  assert.deepEqual(await workers(0), [
    { function_id: id, function_version: 0, worker_name: `${id}-1` },
    { function_id: id, function_version: 0, worker_name: `${id}-2` },
  ])
  assert.equal(((await workers(1)) as unknown[]).length, 1)
  assert.deepEqual(await workers(7), [])
  const shown = await cloud.must(200, 'GET', `/v1/functions/${id}`)
  const pool = await cloud.must(200, 'GET', `/v1/runtimes/${shown.json.runtime_id}/pool`, { token })
  assert.deepEqual(pool.json, {
    name: shown.json.runtime_id,
    capacity: { total: 4, available: 1 },
  })
  await cloud.refused(404, `Runtime not found [id=${NOBODY}]`, 'GET', `/v1/runtimes/${NOBODY}/pool`, {
    token,
  })

  const wanted = (name: string): number => {
    const found = [...cloud.at.fixture.table.functions.values()].find(each => each.name === name)!
    return found.versions.get(found.aliases.get('live')![0]!.version)!.scaling.instancesMin
  }
  const scale = (path: string, body: object) =>
    cloud.must(202, 'POST', `/v1/functions/${id}${path}`, { token, body })
  const answer = await scale('/scale_up', { count: 3 })
  assert.deepEqual([answer.text, answer.headers.get('content-type'), wanted(id)], ['', null, 5])
  await scale('/scale_down', { count: 2 })
  assert.equal(wanted(id), 3)
  await scale('/scale_down', { count: 100 })
  assert.equal(wanted(id), 1)
  await scale('/versions/1/scale_up', {})
  assert.deepEqual([wanted(`${id}-1`), wanted(id)], [2, 1])
  await cloud.refused(400, /Value should be greater or equal to 1$/, 'POST', `/v1/functions/${id}/scale_up`, {
    token,
    body: { count: 0 },
  })
  await cloud.refused(400, 'Missing argument: "scale"', 'POST', `/v1/functions/${id}/scale_down`, { token })
  await cloud.must(202, 'POST', `/v1/functions/${id}/detach`, { token })
  assert.equal(wanted(id), 0)
  assert.deepEqual(await workers(0), [])
  await cloud.must(202, 'POST', `/v1/functions/${id}/versions/1/detach`, { token })
  assert.deepEqual(await workers(1), [])
})
