import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { promisify } from 'node:util'
import { SignJWT } from 'jose'
import type { Principal } from '../../../src/core/index.ts'
import { ironfunctions } from '../../../src/dialects/ironfunctions/dialect.ts'
import { DialectFixture } from '../../support/dialects.ts'
import { exampleOf } from '../../support/doc-example.ts'

const MINUTE_MS = 60_000
const NOTHING = [202, 'null\n']
const NOT_RESERVED = [500, { error: { message: 'The task is not reserved, or no longer' } }]
const PATHS = ['/tasks', '/v1/tasks'] as const

const run = promisify(execFile)
const toolsMissing = ['curl', 'jq'].find(name => spawnSync(name, ['--version']).status !== 0)

let at: DialectFixture
let token: string
let blue: Principal

/** An asynchronous route `/later` of the app `demo` in project blue. */
before(async () => {
  at = await DialectFixture.open(ironfunctions, {}, { durable: true })
  ;({ token, principal: blue } = await at.login('blue'))
  const app = { name: 'demo', config: { LEVEL: '1', colour: 'red' } }
  const route = { path: '/later', image: 'iron/later', type: 'async', config: { LEVEL: '2' } }
  assert.equal((await at.ask('POST', '/v1/apps', { token, body: { app } })).status, 200)
  assert.equal((await at.ask('POST', '/v1/apps/demo/routes', { token, body: { route } })).status, 200)
})
after(() => at?.dispose())

/** Nothing waits, and what comes does, since the function is paused. */
beforeEach(async () => {
  await pause(true)
  await at.queue!.cancelMany(blue.projectId, {})
  at.calls.length = 0
})

async function pause(paused: boolean): Promise<void> {
  await at.fixture.control.updateFunction(blue, 'demo', 'later', { async: { paused } })
}

/** Calls the route; resolves with the call's id. */
async function call(payload: string | Buffer): Promise<string> {
  const response = await fetch(`${at.url}/r/demo/later?q=1`, {
    method: 'POST',
    body: payload,
    headers: { 'content-type': 'text/plain', 'x-two': 'a' },
  })
  assert.equal(response.status, 202)
  return ((await response.json()) as { call_id: string }).call_id
}

/** What runs here by itself, when as much has. */
async function ranHere(count: number): Promise<readonly (readonly [id: string, payload: string])[]> {
  while (at.calls.length < count) await new Promise(resolve => setImmediate(resolve))
  return at.calls.map(each => [each.attempt!.id, Buffer.from(each.body!).toString()])
}

test('a worker outside is given the oldest task, bare and with every field, and takes it with DELETE', async () => {
  for (const path of PATHS) {
    const none = await at.ask('GET', path, { token })
    assert.deepEqual([none.status, none.text], NOTHING)
    assert.equal(none.headers.get('content-type'), 'application/json; charset=utf-8')
    const id = await call('{"a":"ü"}')
    const given = await at.ask('GET', path, { token })
    assert.deepEqual([given.status, given.headers.get('cache-control')], [202, 'no-store'])
    const { env_vars: variables, ...task } = given.json
    assert.deepEqual(task, {
      image: 'iron/later',
      payload: '{"a":"ü"}',
      priority: 0,
      id,
      app_name: 'demo',
      path: '/later',
      created_at: new Date(at.fixture.clock.now()).toISOString(),
      started_at: '0001-01-01T00:00:00.000Z',
      completed_at: '0001-01-01T00:00:00.000Z',
    })
    const host = new URL(at.url).host
    const said = { METHOD: 'POST', ROUTE: '/later', REQUEST_URL: `http://${host}/later?q=1` }
    const own = { LEVEL: '2', COLOUR: 'red', HEADER_X_TWO: 'a', HEADER_CONTENT_TYPE: 'text/plain' }
    for (const [name, value] of Object.entries({ ...said, ...own }))
      assert.equal(variables[name], value, name)
    assert.ok(given.text.startsWith('{"image":"iron/later","payload":') && given.text.endsWith('}\n'))

    const taken = await at.ask('DELETE', path, { token, body: given.text })
    assert.deepEqual([taken.status, taken.text], [202, given.text])
    const again = await at.ask('DELETE', path, { token, body: given.text })
    assert.deepEqual([again.status, again.json], NOT_RESERVED)
    const { state, lastFailure } = await at.queue!.get(blue.projectId, id)
    assert.equal(state, 'cancelled')
    assert.match(lastFailure!.message, /worker outside took the call by DELETE \/tasks/)
  }
  assert.equal(at.calls.length, 0)
  assert.deepEqual(
    at.logged.filter(each => each.includes('failed')),
    [],
  )
})

test('a task that nobody takes within a minute is given again, or runs here when it may', async () => {
  const { clock } = at.fixture
  const id = await call('late')
  const task = (await at.ask('GET', '/tasks', { token })).json
  clock.advance(MINUTE_MS - 1)
  assert.deepEqual((await at.ask('GET', '/tasks', { token })).json, null)
  clock.advance(1)
  const late = await at.ask('DELETE', '/tasks', { token, body: task })
  assert.deepEqual([late.status, late.json], NOT_RESERVED)
  assert.equal((await at.ask('GET', '/tasks', { token })).json.id, id)
  await pause(false)
  assert.equal(at.calls.length, 0)
  clock.advance(MINUTE_MS)
  assert.deepEqual(await ranHere(1), [[id, 'late']])
  const ran = await at.ask('DELETE', '/tasks', { token, body: task })
  assert.deepEqual([ran.status, ran.json], NOT_RESERVED)
})

test('workers that ask at once get a task each, and one of those that delete it has it', async () => {
  const ids = [await call('1'), await call('2')]
  const given = await Promise.all([1, 2, 3].map(() => at.ask('GET', '/tasks', { token })))
  const tasks = given.map(({ json }) => json).filter(task => task !== null)
  assert.equal(tasks.length, 2)
  assert.deepEqual(new Set(tasks.map(({ id }) => id)), new Set(ids))
  const taken = await Promise.all([1, 2].map(() => at.ask('DELETE', '/tasks', { token, body: tasks[0] })))
  assert.deepEqual(
    taken.map(({ status }) => status).sort((a, b) => a - b),
    [202, 500],
  )
})

test('a payload that is no text stays for its function, and one in the address is told', async () => {
  const binary = await call(Buffer.from([0xff, 0xd8, 0x00]))
  assert.equal((await at.ask('GET', '/tasks', { token })).json, null)
  assert.equal((await at.ask('GET', '/r/demo/later?payload=a%20b')).status, 202)
  const { json } = await at.ask('GET', '/tasks', { token })
  assert.deepEqual([json.payload, json.env_vars.METHOD], ['a b', 'GET'])
  assert.equal((await at.ask('DELETE', '/tasks', { token, body: { id: json.id } })).status, 202)
  await pause(false)
  assert.deepEqual(
    (await ranHere(1)).map(([id]) => id),
    [binary],
  )
})

test('a large task goes back whole, and what is larger than any is refused', async () => {
  await call('"'.repeat(3.5 * 1024 * 1024))
  const { text } = await at.ask('GET', '/tasks', { token })
  assert.ok(text.length > 7 * 1024 * 1024)
  const taken = await at.ask('DELETE', '/tasks', { token, body: text })
  assert.deepEqual([taken.status, taken.text === text], [202, true])
  const huge = await at.ask('DELETE', '/tasks', { token, body: ' '.repeat(19 * 1024 * 1024) })
  assert.deepEqual([huge.status, typeof huge.json.error.message], [413, 'string'])
})

test('what is no task is 500 with the reason, as upstream says it, and ends nothing', async () => {
  const { token: red } = await at.login('red')
  await call('x')
  const task = (await at.ask('GET', '/tasks', { token })).json
  for (const [body, message] of [
    ['', 'Invalid JSON'],
    ['{', 'Invalid JSON'],
    ['null', 'Invalid JSON'],
    ['[]', 'Invalid JSON'],
    [{}, 'The task has no id that GET /tasks gave out'],
    [{ ...task, id: 1 }, 'The task has no id that GET /tasks gave out'],
    [{ ...task, id: `${task.id}\0` }, 'The task has no id that GET /tasks gave out'],
    [{ ...task, id: '0'.repeat(26) }, 'The task is not reserved, or no longer'],
  ] as const) {
    const answer = await at.ask('DELETE', '/tasks', { token, body })
    assert.deepEqual([answer.status, answer.json], [500, { error: { message } }], JSON.stringify(body))
  }
  const others = await at.ask('DELETE', '/tasks', { token: red, body: task })
  assert.deepEqual([others.status, others.json], NOT_RESERVED)
  assert.equal((await at.ask('DELETE', '/tasks', { token, body: task })).status, 202)
})

test('a stranger, another project and who may only read are given nothing, and HEAD takes nothing', async () => {
  const { token: red } = await at.login('red')
  const { token: reader } = await at.login('blue', 'reader')
  const id = await call('x')
  for (const path of PATHS) {
    for (const method of ['GET', 'DELETE']) {
      assert.equal((await at.ask(method, path)).status, 401)
      const refused = await at.ask(method, path, { token: reader })
      assert.deepEqual([refused.status, typeof refused.json.error.message], [403, 'string'])
    }
    assert.equal((await at.ask('GET', path, { token: red })).json, null)
    const head = await fetch(at.url + path, { method: 'HEAD', headers: { 'x-auth-token': token } })
    assert.equal(head.status, 404)
    assert.equal((await at.ask('POST', path, { token })).text, '"Not Found"\n')
    const slash = await at.ask('GET', `${path}/`, { token })
    assert.deepEqual([slash.status, slash.headers.get('location')], [301, path])
  }
  assert.equal((await at.ask('GET', '/tasks', { token })).json.id, id)
})

test('where everybody works in one project, workers need the signature that the service asks for', async t => {
  const key = 'secret-of-the-service'
  const open = await DialectFixture.open(
    ironfunctions,
    { openProject: 'blue', ironfunctions: { jwtKey: key } },
    { durable: true },
  )
  t.after(() => open.dispose())
  await open.login('blue')
  const signed = await new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(key))
  const headers = { authorization: `Bearer ${signed}` }
  for (const method of ['GET', 'DELETE']) {
    const refused = await open.ask(method, '/tasks')
    assert.deepEqual([refused.status, refused.json], [401, { error: 'Invalid API Authorization token.' }])
  }
  const none = await open.ask('GET', '/tasks', { headers })
  assert.deepEqual([none.status, none.text], NOTHING)
  const unknown = await open.ask('DELETE', '/tasks', { headers, body: { id: '0'.repeat(26) } })
  assert.deepEqual([unknown.status, unknown.json], NOT_RESERVED)
})

test('the worker of the page takes every task and runs it', {
  skip: toolsMissing !== undefined && `it needs ${toolsMissing}`,
}, async t => {
  await call('one\n')
  await call('two\n')
  const folder = await mkdtemp(join(tmpdir(), 'atelier-worker-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'work'), '#!/bin/sh\necho "$1 $(cat)" >> done\n')
  await chmod(join(folder, 'work'), 0o755)
  const commands = await exampleOf('dialect-ironfunctions.md', 'worker')
  await run('bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: folder,
    env: { PATH: process.env['PATH'], IRON: at.url, TOKEN: token },
    timeout: 60_000,
  })
  assert.equal(await readFile(join(folder, 'done'), 'utf8'), '/later one\n/later two\n')
  assert.equal((await at.ask('GET', '/tasks', { token })).json, null)
})
