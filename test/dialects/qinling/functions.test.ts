import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cloud, codeOf, form, md5, NOBODY, TIME, UUID, zip } from './cloud.ts'

const LIMITS = { cpu: 100, memory_size: 33_554_432, timeout: 5 }

test('a function is made of an archive, shown, listed, downloaded byte by byte and deleted', async t => {
  const cloud = await Cloud.open(t)
  const archive = zip('def main(**_): return 1')
  const runtime = await cloud.runtime()
  const made = await cloud.function({ runtime_id: runtime, name: 'thumb', entry: 'thumb.main' }, archive)
  assert.equal(made.status, 201)
  assert.match(made.json.id, UUID)
  assert.match(made.json.created_at, TIME)
  assert.deepEqual(
    { ...made.json, id: '', created_at: '' },
    {
      id: '',
      name: 'thumb',
      description: null,
      ...LIMITS,
      runtime_id: runtime,
      code: { source: 'package', md5sum: md5(archive) },
      entry: 'thumb.main',
      count: 0,
      latest_version: 0,
      project_id: cloud.bluePrincipal.projectId,
      created_at: '',
      updated_at: null,
    },
  )
  assert.deepEqual((await cloud.must(200, 'GET', `/v1/functions/${made.json.id}`)).json, made.json)
  const [listed] = (await cloud.must(200, 'GET', '/v1/functions/')).json.functions
  assert.deepEqual(listed, { ...made.json, code: `{"source": "package", "md5sum": "${md5(archive)}"}` })

  for (const accept of ['*/*', 'application/json']) {
    const response = await fetch(`${cloud.at.url}/v1/functions/${made.json.id}?download=true`, {
      headers: { 'x-auth-token': cloud.blue, accept },
    })
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), archive)
    assert.equal(response.headers.get('content-type'), 'application/zip')
    assert.equal(response.headers.get('content-disposition'), `attachment; filename="${made.json.id}"`)
  }
  const gone = await cloud.must(204, 'DELETE', `/v1/functions/${made.json.id}`)
  assert.deepEqual([gone.text, gone.headers.get('content-type')], ['', null])
  await cloud.refused(404, `Function not found [id=${made.json.id}]`, 'GET', `/v1/functions/${made.json.id}`)
})

test('what a new function cannot be is refused in the order and the words of Qinling', async t => {
  const cloud = await Cloud.open(t)
  const archive = zip('x = 1')
  const runtime = await cloud.runtime()
  const code = codeOf(archive)
  const refused = (fields: Record<string, string>, message: string | RegExp, sent?: Buffer) =>
    cloud.refused(400, message, 'POST', '/v1/functions', { form: form(fields, sent) })
  await refused({ name: 'x' }, "Required param is missing. Required: {'code'}")
  await refused({ code: '{' }, /^Invalid input, /)
  await refused({ code: '[]' }, /^Invalid input, /)
  await refused({ code: '{}', timeout: '1.5' }, 'Invalid timeout resource specified. An integer is required.')
  await refused({ code: '{}', cpu: '' }, 'Invalid cpu resource specified. An integer is required.')
  await refused(
    { code: '{}', timeout: '301' },
    'timeout resource limitation not within the allowable range: 1 ~ 300(seconds).',
  )
  await refused(
    { code: '{}', cpu: '99' },
    'cpu resource limitation not within the allowable range: 100 ~ 300(millicpu).',
  )
  await refused(
    { code: '{}', memory_size: '1' },
    'memory resource limitation not within the allowable range: 33554432 ~ 134217728(bytes).',
  )
  await refused({ code: '{"source":"git"}' }, /^Invalid code source specified, available sources: /)
  await refused({ code }, '"runtime_id" must be specified.')
  await refused({ code, runtime_id: 'x' }, /Expected a uuid but received x\.$/)
  await cloud.refused(404, `Runtime not found [id=${NOBODY}]`, 'POST', '/v1/functions', {
    form: form({ code, runtime_id: NOBODY }, archive),
  })
  const broken = await cloud.runtime({ image: 'missing/own:1' })
  assert.equal(await cloud.settled(broken), 'error')
  await refused({ code, runtime_id: broken }, `Runtime ${broken} is not available.`, archive)
  await refused({ code, runtime_id: runtime }, "Required param is missing. Required: {'package'}")
  await refused(
    { code: '{"source":"package","md5sum":"0"}', runtime_id: runtime },
    'Package md5 mismatch.',
    archive,
  )
  await refused(
    { code: '{"source":"package"}', runtime_id: runtime },
    'Package is not a valid ZIP package.',
    Buffer.from('PK no archive'),
  )
  await refused(
    { code, runtime_id: runtime, name: 'x'.repeat(256) },
    /maximum character requirement of 255$/,
    archive,
  )
  await refused({ code, runtime_id: runtime, entry: 'main' }, /^Invalid entry specified/, archive)
  await refused(
    { code: '{"source":"swift","swift":{"container":"c"}}', runtime_id: runtime },
    'Both container and object must be provided for swift type function.',
  )
  await refused(
    { code: '{"source":"swift","swift":{"container":"c","object":"o"}}', runtime_id: runtime },
    'Swift object not supported.',
  )
  assert.deepEqual((await cloud.must(200, 'GET', '/v1/functions')).json, { functions: [] })
})

test('a function is changed part by part, and what may not change stays', async t => {
  const cloud = await Cloud.open(t)
  const first = zip('x = 1')
  const second = zip('x = 2')
  const id = await cloud.made({ name: 'one' }, first)
  const put = (fields: Record<string, string>, archive?: Buffer) =>
    cloud.ask('PUT', `/v1/functions/${id}`, { form: form(fields, archive) })
  const refused = (fields: Record<string, string>, message: string, archive?: Buffer) =>
    cloud.refused(400, message, 'PUT', `/v1/functions/${id}`, { form: form(fields, archive) })
  const named = await put({ name: '', description: 'changed', runtime_id: NOBODY, count: '7' })
  assert.deepEqual(
    [named.status, named.json.name, named.json.description, named.json.count],
    [200, '', 'changed', 0],
  )
  const limited = await put({ cpu: '200', timeout: '10', memory_size: '67108864', entry: 'other.run' })
  assert.deepEqual(
    [limited.json.cpu, limited.json.timeout, limited.json.memory_size, limited.json.entry],
    [200, 10, 67_108_864, 'other.run'],
  )
  const target = [...cloud.at.fixture.table.functions.values()][0]!
  const version = target.versions.get(target.aliases.get('live')![0]!.version)!
  assert.deepEqual(
    [version.entry, version.limits.cpuMillicores, version.limits.memoryMiB],
    ['other:run:qinling', 200, 64],
  )
  const same = await put({ source: 'package' }, first)
  assert.deepEqual([same.status, same.json.code.md5sum], [200, md5(first)])
  await refused({ code: codeOf(first) }, 'The function code checksum is not changed.', first)
  await refused({ code: '{"source":"package","md5sum":"0"}' }, 'Package md5 mismatch.', second)
  await refused({ code: '{"source":"image"}' }, 'The function code type can not be changed.')
  const kept = await put({ code: '{"source":"package"}' })
  assert.equal(kept.json.code.md5sum, md5(first))
  const changed = await put({ code: codeOf(second) }, second)
  assert.equal(changed.json.code.md5sum, md5(second))
  const response = await fetch(`${cloud.at.url}/v1/functions/${id}?download=1`, {
    headers: { 'x-auth-token': cloud.blue },
  })
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), second)
  const empty = await cloud.ask('PUT', `/v1/functions/${id}`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: '',
  })
  assert.deepEqual([empty.status, empty.json.id], [200, id])
})

test('a function of an image that no language of ours stands for runs in it, with its code beside it', async t => {
  const cloud = await Cloud.open(t)
  const runtime = await cloud.runtime({ image: 'registry.local/own:1' })
  assert.equal(await cloud.settled(runtime), 'available')
  const archive = zip('x = 1', 'folder/main.rb')
  const id = await cloud.made({ runtime_id: runtime, entry: 'main.run' }, archive)
  const [target] = [...cloud.at.fixture.table.functions.values()]
  const versionOf = (entry = target!) => entry.versions.get(entry.aliases.get('live')![0]!.version)!
  assert.deepEqual(versionOf().contract, { name: 'qinling', functionName: 'main.run', code: 'code' })
  assert.match(versionOf().entry, /^registry\.local\/own:1@sha256:/)
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, { form: form({ cpu: '200' }) })
  const response = await fetch(`${cloud.at.url}/v1/functions/${id}?download=true`, {
    headers: { 'x-auth-token': cloud.blue },
  })
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), archive)
  const bad = Buffer.concat([Buffer.from('PK'), archive.subarray(-22)])
  await cloud.refused(400, 'Package is not a valid ZIP package.', 'POST', '/v1/functions', {
    form: form({ runtime_id: runtime, code: codeOf(bad) }, bad),
  })
})

test('a function that is an image gets its input as it is, and what it prints is its log', async t => {
  const cloud = await Cloud.open(t)
  const made = await cloud.must(201, 'POST', '/v1/functions', {
    form: form({ code: '{"source":"image","image":"registry.local/tool:2"}', entry: 'ignored.main' }),
  })
  assert.deepEqual(
    [made.json.code, made.json.entry, made.json.runtime_id],
    [{ source: 'image', image: 'registry.local/tool:2' }, null, null],
  )
  cloud.at.behaviour = () => ({ body: 'Hello, Ann\n' })
  const run = await cloud.must(201, 'POST', '/v1/executions', {
    body: { function_id: made.json.id, input: 'Ann' },
  })
  assert.match(run.json.result, /^\{"duration": \d+\}$/)
  assert.equal(String(cloud.at.calls[0]!.body), 'Ann')
  const log = await cloud.must(200, 'GET', `/v1/executions/${run.json.id}/log`)
  assert.equal(log.text, 'Hello, Ann\n')
  const path = `/v1/functions/${made.json.id}`
  await cloud.refused(405, 'Download image function is not allowed.', 'GET', `${path}?download=true`)
  await cloud.refused(400, 'The image type function code can not be changed.', 'PUT', path, {
    form: form({ code: '{"source":"image","image":"other"}' }),
  })
  await cloud.refused(
    403,
    'Function versioning only allowed for package type function.',
    'POST',
    `${path}/versions`,
    { body: {} },
  )
  await cloud.refused(400, 'Can not specify version for package type function.', 'POST', '/v1/executions', {
    body: { function_id: made.json.id, function_version: 1 },
  })
  await cloud.must(400, 'POST', '/v1/functions', {
    form: form({ code: '{"source":"image","image":"missing/tool"}' }),
  })
})

test('a function with aliases, webhooks or jobs that run is not deleted', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const path = `/v1/functions/${id}`
  const job = await cloud.must(201, 'POST', '/v1/jobs', {
    body: { function_id: id, pattern: '0 * * * *' },
  })
  await cloud.refused(403, 'The function is still associated with running job(s).', 'DELETE', path)
  await cloud.refused(403, 'The function is still associated with running job(s).', 'PUT', path, {
    form: form({ cpu: '200' }),
  })
  await cloud.must(200, 'PUT', path, { form: form({ timeout: '9', name: 'still' }) })
  await cloud.must(200, 'PUT', `/v1/jobs/${job.json.id}`, { body: { status: 'cancelled' } })
  const webhook = await cloud.must(201, 'POST', '/v1/webhooks', { body: { function_id: id } })
  await cloud.refused(403, 'The function is still associated with webhook(s).', 'DELETE', path)
  await cloud.must(204, 'DELETE', `/v1/webhooks/${webhook.json.id}`)
  await cloud.must(201, 'POST', '/v1/aliases', { body: { name: 'prod', function_id: id } })
  await cloud.refused(403, 'The function is still associated with function alias(es).', 'DELETE', path)
  await cloud.must(204, 'DELETE', '/v1/aliases/prod')
  await cloud.refused(403, 'Function can only be deleted by its owner.', 'DELETE', path, {
    token: cloud.admin,
  })
  await cloud.must(204, 'DELETE', path)
})
