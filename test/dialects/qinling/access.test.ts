import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cloud, form, NOBODY, output } from './cloud.ts'

/** Everything there is, of project blue. */
async function furnished(cloud: Cloud) {
  const id = await cloud.made({ name: 'secret-name' })
  await cloud.must(201, 'POST', `/v1/functions/${id}/versions`, { body: {} })
  await cloud.must(201, 'POST', '/v1/aliases', { body: { name: 'prod', function_id: id } })
  const made = async (path: string, body: unknown): Promise<string> =>
    (await cloud.must(201, 'POST', path, { body })).json.id
  const runtime = await cloud.must(201, 'POST', '/v1/runtimes', {
    token: cloud.admin,
    body: { image: 'python3', is_public: false },
  })
  return {
    id,
    runtime: runtime.json.id as string,
    execution: await made('/v1/executions', { function_id: id }),
    job: await made('/v1/jobs', { function_id: id, pattern: '0 * * * *' }),
    webhook: await made('/v1/webhooks', { function_id: id }),
  }
}

test('to another project nothing is there, on every route', async t => {
  const cloud = await Cloud.open(t)
  const { id, runtime, execution, job, webhook } = await furnished(cloud)
  const body = {}
  const routes: readonly (readonly [string, string, object?])[] = [
    ['GET', `/v1/runtimes/${runtime}`],
    ['GET', `/v1/functions/${id}`],
    ['GET', `/v1/functions/${id}?download=true`],
    ['PUT', `/v1/functions/${id}`, { form: form({ name: 'taken' }) }],
    ['DELETE', `/v1/functions/${id}`],
    ['POST', `/v1/functions/${id}/versions`, { body }],
    ['GET', `/v1/functions/${id}/versions`],
    ['GET', `/v1/functions/${id}/versions/1`],
    ['GET', `/v1/functions/${id}/versions/1?download=true`],
    ['DELETE', `/v1/functions/${id}/versions/1`],
    ['POST', '/v1/aliases', { body: { name: 'x', function_id: id } }],
    ['GET', '/v1/aliases/prod'],
    ['PUT', '/v1/aliases/prod', { body: { description: 'taken' } }],
    ['DELETE', '/v1/aliases/prod'],
    ['POST', '/v1/executions', { body: { function_id: id } }],
    ['POST', '/v1/executions', { body: { function_alias: 'prod' } }],
    ['GET', `/v1/executions/${execution}`],
    ['GET', `/v1/executions/${execution}/log`],
    ['DELETE', `/v1/executions/${execution}`],
    ['POST', '/v1/jobs', { body: { function_id: id, pattern: '0 * * * *' } }],
    ['GET', `/v1/jobs/${job}`],
    ['PUT', `/v1/jobs/${job}`, { body }],
    ['DELETE', `/v1/jobs/${job}`],
    ['POST', '/v1/webhooks', { body: { function_id: id } }],
    ['GET', `/v1/webhooks/${webhook}`],
    ['PUT', `/v1/webhooks/${webhook}`, { body }],
    ['DELETE', `/v1/webhooks/${webhook}`],
  ]
  for (const [method, path, asking] of routes) {
    const answer = await cloud.ask(method, path, { ...asking, token: cloud.red })
    assert.equal(answer.status, 404, `${method} ${path}: ${answer.status} ${answer.text}`)
    assert.doesNotMatch(answer.text, /secret-name/)
  }
  for (const [path, key] of [
    ['/v1/functions', 'functions'],
    ['/v1/aliases', 'function_aliases'],
    ['/v1/executions', 'executions'],
    ['/v1/jobs', 'jobs'],
    ['/v1/webhooks', 'webhooks'],
  ] as const) {
    assert.deepEqual((await cloud.must(200, 'GET', path, { token: cloud.red })).json, { [key]: [] })
    await cloud.refused(403, 'Operation not allowed', 'GET', `${path}?all_projects=true`, {
      token: cloud.red,
    })
    const own = await cloud.must(200, 'GET', `${path}?all_projects=false`, { token: cloud.red })
    assert.deepEqual(own.json, { [key]: [] })
    const { projectId } = cloud.bluePrincipal
    const named = await cloud.must(200, 'GET', `${path}?project_id=${projectId}`, { token: cloud.red })
    assert.deepEqual(named.json, { [key]: [] })
    assert.deepEqual((await cloud.must(200, 'GET', path, { token: cloud.admin })).json, { [key]: [] })
    for (const query of ['all_projects=True', `project_id=${projectId}`, `project_id=in:x,${projectId}`]) {
      const all = await cloud.must(200, 'GET', `${path}?${query}`, { token: cloud.admin })
      assert.equal(all.json[key].length, 1, `${path}?${query}`)
    }
  }
})

test('an administrator sees what is others\u2019 by its id, and what only owners may stays theirs', async t => {
  const cloud = await Cloud.open(t)
  const { id, execution, job, webhook } = await furnished(cloud)
  const token = cloud.admin
  for (const path of [
    `/v1/functions/${id}`,
    `/v1/functions/${id}?download=true`,
    `/v1/functions/${id}/versions`,
    `/v1/functions/${id}/versions/1`,
    '/v1/aliases/prod',
    `/v1/executions/${execution}`,
    `/v1/jobs/${job}`,
    `/v1/webhooks/${webhook}`,
  ])
    await cloud.must(200, 'GET', path, { token })
  await cloud.refused(404, `Function not found [id=${id}]`, 'POST', `/v1/functions/${id}/versions`, {
    token,
    body: {},
  })
  await cloud.refused(404, `Function not found [id=${id}]`, 'DELETE', `/v1/functions/${id}/versions/1`, {
    token,
  })
  await cloud.refused(404, `Webhook not found [id=${webhook}]`, 'PUT', `/v1/webhooks/${webhook}`, {
    token,
    body: {},
  })
  await cloud.refused(404, `Function not found [id=${id}]`, 'POST', '/v1/webhooks', {
    token,
    body: { function_id: id },
  })
  await cloud.must(204, 'DELETE', `/v1/jobs/${job}`, { token })
  const changed = await cloud.must(200, 'PUT', `/v1/functions/${id}`, { token, form: form({ cpu: '200' }) })
  assert.equal(changed.json.project_id, cloud.bluePrincipal.projectId)
  const run = await cloud.must(201, 'POST', '/v1/executions', { token, body: { function_id: id } })
  assert.notEqual(run.json.project_id, cloud.bluePrincipal.projectId)
})

test('what the policy keeps for administrators is refused to others before anything is looked at', async t => {
  const cloud = await Cloud.open(t)
  for (const [method, path] of [
    ['POST', '/v1/runtimes'],
    ['PUT', '/v1/runtimes/x'],
    ['DELETE', '/v1/runtimes/x'],
    ['GET', '/v1/runtimes/x/pool'],
    ['GET', '/v1/functions/x/workers'],
    ['POST', '/v1/functions/x/scale_up'],
    ['POST', '/v1/functions/x/scale_down'],
    ['POST', '/v1/functions/x/detach'],
    ['POST', '/v1/functions/x/versions/1/scale_up'],
    ['POST', '/v1/functions/x/versions/1/scale_down'],
    ['POST', '/v1/functions/x/versions/1/detach'],
  ] as const)
    await cloud.refused(403, 'Operation not allowed', method, path)
})

test('who may only read changes nothing and runs nothing', async t => {
  const cloud = await Cloud.open(t)
  const id = await cloud.made()
  const { token } = await cloud.at.login('blue', 'reader')
  await cloud.must(200, 'GET', `/v1/functions/${id}`, { token })
  for (const [method, path, asking] of [
    ['POST', '/v1/functions', { form: form({}) }],
    ['PUT', `/v1/functions/${id}`, { form: form({ name: 'x' }) }],
    ['DELETE', `/v1/functions/${id}`],
    ['POST', '/v1/executions', { body: { function_id: id } }],
    ['POST', '/v1/webhooks', { body: { function_id: id } }],
  ] as const)
    await cloud.refused(403, 'Operation not allowed', method, path, { ...asking, token })
})

test('without a token that is good nothing is told but where the API is', async t => {
  const cloud = await Cloud.open(t)
  for (const [headers, reason] of [
    [{}, 'Authentication required'],
    [{ 'x-auth-token': 'notused' }, 'Authentication required'],
    [{ 'x-auth-token': 'forged-by-somebody' }, 'Auth token is invalid'],
  ] as const)
    for (const path of ['/v1/functions', '/v1/nothing', `/v1/executions/${NOBODY}`]) {
      const answer = await cloud.at.ask('GET', path, { headers })
      assert.equal(answer.status, 401)
      assert.equal(answer.json.faultstring, `Failed to validate access token: ${reason}`)
      assert.equal(answer.json.title, 'Unauthorized')
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Keystone/)
      assert.doesNotMatch(answer.text, /forged/)
    }
  const root = await cloud.at.ask('GET', '/')
  assert.deepEqual(root.json, {
    versions: [
      { id: 'v1.0', status: 'CURRENT', links: [{ href: `${cloud.at.url}/v1`, target: 'v1', rel: 'self' }] },
    ],
  })
  assert.deepEqual((await cloud.at.ask('GET', '/v1/')).json, { uri: `${cloud.at.url}/v1` })
  const moved = await cloud.at.ask('GET', '/v1')
  assert.deepEqual([moved.status, moved.headers.get('location')], [302, '/v1/'])
})

test('where the operator names a project, everybody works there with all rights, and sees no other', async t => {
  const cloud = await Cloud.open(t, { openProject: 'red' })
  const other = await cloud.made()
  const token = 'notused'
  const runtime = await cloud.must(201, 'POST', '/v1/runtimes', { token, body: { image: 'python3' } })
  const id = await cloud.made({ runtime_id: runtime.json.id }, undefined, token)
  await cloud.must(200, 'GET', `/v1/functions/${id}/workers`, { token })
  await cloud.must(404, 'GET', `/v1/functions/${other}`, { token })
  const all = await cloud.must(200, 'GET', '/v1/functions?all_projects=true', { token })
  assert.deepEqual(
    all.json.functions.map((each: { id: string }) => each.id),
    [id],
  )
  assert.equal((await cloud.must(200, 'GET', '/v1/functions')).json.functions.length, 1)
})

test('paths and methods that there are not are told apart, and queries have only what is known', async t => {
  const cloud = await Cloud.open(t)
  const unknown = await cloud.must(404, 'GET', '/v1//functions')
  assert.equal(unknown.json.title, 'Not Found')
  const wrong = await cloud.must(405, 'PATCH', '/v1/functions')
  assert.equal(wrong.headers.get('allow'), 'GET, POST')
  const head = await fetch(`${cloud.at.url}/v1/functions`, {
    method: 'HEAD',
    headers: { 'x-auth-token': cloud.blue },
  })
  assert.equal(head.status, 405)
  assert.equal((await cloud.at.ask('OPTIONS', '/v1/functions')).status, 200)
  await cloud.refused(400, 'Unknown argument: "limit"', 'GET', '/v1/functions?limit=1')
  await cloud.refused(400, 'Unknown argument: "limit, marker"', 'GET', '/v1/executions?limit=1&marker=2')
  await cloud.refused(400, /Expected a uuid but received x\.$/, 'DELETE', '/v1/functions/x')
  await cloud.refused(404, 'Function not found [id=x]', 'GET', '/v1/functions/x')
})

test('names that are SQL, headers or paths stay names', async t => {
  const cloud = await Cloud.open(t)
  const name = `x'; DROP TABLE functions; --\r\nSet-Cookie: a=b/../..`
  const id = await cloud.made({ name, description: name })
  const shown = await cloud.must(200, 'GET', `/v1/functions/${id}`)
  assert.deepEqual([shown.json.name, shown.json.description], [name, name])
  const alias = await cloud.must(201, 'POST', '/v1/aliases', { body: { name, function_id: id } })
  const path = `/v1/aliases/${encodeURIComponent(name)}`
  assert.equal((await cloud.must(200, 'GET', path)).json.id, alias.json.id)
  const missing = await cloud.must(404, 'GET', `/v1/aliases/${encodeURIComponent("y' OR '1'='1")}`)
  assert.equal(missing.headers.get('set-cookie'), null)
  cloud.at.behaviour = () => output('1')
  await cloud.must(201, 'POST', '/v1/executions', { body: { function_alias: name, description: name } })
  await cloud.must(204, 'DELETE', path)
})
