import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { CommandLine } from '../support/openstack/command-line.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'
import { OpenStackClient, qinlingClientMissing } from './openstack-client.ts'

const python = await pythonEnvironment.probe()
const skip = qinlingClientMissing() || (python.ready ? false : python.reason)

const OLD = `
def main(name='World', **kwargs):
    print('old code')
    return f'Hello, {name}!'
`
const NEW = OLD.replace('old code', 'new code')

let server: ServerProcess
let folder: string
let commands: CommandLine
let admin: OpenStackClient
let user: OpenStackClient
let address: string

before(async () => {
  if (skip !== false) return
  folder = await makeHome()
  server = await ServerProcess.start({
    flags: ['--dialects', 'qinling:0', '--dialect-project', 'default', '--isolation', 'none'],
  })
  commands = await CommandLine.start()
  admin = OpenStackClient.admin(commands, server, folder)
  await admin.say('project', 'create', 'blue')
  await admin.say('user', 'create', 'ann', '--password', 'correct horse battery')
  await admin.say('role', 'add', 'member', '--user', 'ann', '--project', 'blue')
  user = OpenStackClient.user(commands, server, folder, 'ann', 'correct horse battery', 'blue')
  const [found] = (await admin.show(
    'endpoint',
    'list',
    '--service',
    'function-engine',
    '--interface',
    'public',
  )) as {
    URL: string
  }[]
  address = found!.URL
  await writeFile(join(folder, 'hello.py'), OLD)
  await admin.say('runtime', 'create', 'openstackqinling/python3-runtime', '--name', 'python3')
  assert.equal(await make('hello'), 'hello')
})

after(async () => {
  await commands?.close()
  await server?.dispose()
  if (folder) await removeHome(folder)
})

async function make(name: string): Promise<string> {
  const args = ['--runtime', 'python3', '--name', name, '--entry', 'hello.main', '--file', 'hello.py']
  return (await user.show('function', 'create', ...args)).name
}

async function idOf(name: string): Promise<string> {
  return (await user.show('function', 'show', name)).id
}

async function logOf(execution: string): Promise<string> {
  return user.say('function', 'execution', 'log', 'show', execution)
}

test('the client makes, shows, lists and deletes runtimes, and shows a pool', { skip }, async () => {
  const made = await admin.show(
    'runtime',
    'create',
    'openstackqinling/nodejs-runtime',
    '--private',
    '--untrusted',
  )
  assert.deepEqual([made.status, made.is_public, made.trusted], ['creating', false, false])
  assert.equal((await admin.show('runtime', 'show', made.id)).status, 'available')
  const pool = await admin.show('runtime', 'pool', 'show', made.id)
  assert.equal(pool.name, made.id)
  assert.equal(typeof pool.capacity.total, 'number')
  const seen = await user.show('runtime', 'list')
  assert.deepEqual(
    seen.map((each: { Name: string }) => each.Name),
    ['python3'],
  )
  const said = await admin.say('runtime', 'delete', made.id)
  assert.equal(said, `Request to delete runtime ${made.id} has been accepted.`)
  await user.refused(/Operation not allowed \(HTTP 403\)/, 'runtime', 'create', 'python3')
})

test('the client makes, changes, downloads and deletes a function', { skip }, async () => {
  await make('changing')
  const id = await idOf('changing')
  await user.say(
    'function',
    'update',
    'changing',
    '--description',
    'said anew',
    '--cpu',
    '200',
    '--timeout',
    '9',
  )
  await writeFile(join(folder, 'hello.py'), NEW)
  await user.say('function', 'update', 'changing', '--file', 'hello.py')
  await writeFile(join(folder, 'hello.py'), OLD)
  const shown = await user.show('function', 'show', 'changing')
  assert.deepEqual([shown.description, shown.cpu, shown.timeout], ['said anew', 200, 9])
  const said = await user.say('function', 'download', 'changing', '-o', join(folder, 'got.zip'))
  assert.equal(said, `Code package downloaded to ${join(folder, 'got.zip')}`)
  assert.ok((await readFile(join(folder, 'got.zip'))).includes('new code'))
  assert.equal(
    await user.say('function', 'delete', 'changing'),
    `Request to delete function ${id} has been accepted.`,
  )
  await user.refused(
    /No Function matching \{'name': 'changing'\}\. \(HTTP 404\)/,
    'function',
    'show',
    'changing',
  )
  await user.refused(
    /Operation not allowed \(HTTP 403\)/,
    'function',
    'list',
    '--filter',
    'all_projects=true',
  )
  const all = await admin.show('function', 'list', '--filter', 'all_projects=true')
  assert.ok(all.some((each: { Name: string }) => each.Name === 'hello'))
  assert.deepEqual(await admin.show('function', 'list'), [])
})

test('the client runs a function, waiting and not, and reads what it said', { skip }, async () => {
  const run = ['function', 'execution', 'create', '--function', 'hello'] as const
  const made = await user.show(...run, '--input', '{"name": "Ann"}')
  assert.equal(made.status, 'success')
  assert.equal(made.input, '{"name": "Ann"}')
  assert.match(made.result, /^\{"output": "Hello, Ann!", "duration": [\d.]+\}$/)
  assert.equal(await logOf(made.id), `Start execution: ${made.id}\nold code\nFinished execution: ${made.id}`)
  assert.match((await user.show(...run, '--input', 'Bob')).result, /"Hello, Bob!"/)
  const late = await user.show(...run, '--async')
  assert.deepEqual([late.status, late.result], ['running', null])
  await until(
    'the execution has ended',
    async () => (await user.show('function', 'execution', 'show', late.id)).status === 'success',
    120_000,
  )
  const filter = ['--filter', `function_id=${await idOf('hello')}`, '--filter', 'status=success']
  assert.ok((await user.show('function', 'execution', 'list', ...filter)).length >= 3)
  await user.say('function', 'execution', 'delete', '--execution', made.id)
  await user.refused(/Execution not found .* \(HTTP 404\)/, 'function', 'execution', 'show', made.id)
})

test('the client publishes versions, names them with aliases, and runs them', { skip }, async () => {
  await make('versioned')
  const id = await idOf('versioned')
  const version = ['function', 'version'] as const
  assert.equal((await user.show(...version, 'create', 'versioned')).version_number, 1)
  await user.refused(
    /Function package not changed since the latest version 1\. \(HTTP 403\)/,
    ...version,
    'create',
    id,
  )
  await writeFile(join(folder, 'hello.py'), NEW)
  await user.say('function', 'update', 'versioned', '--file', 'hello.py')
  await writeFile(join(folder, 'hello.py'), OLD)
  assert.equal((await user.show(...version, 'create', id, '--description', 'second')).version_number, 2)
  assert.equal((await user.show(...version, 'list', id)).length, 2)
  assert.equal((await user.show(...version, 'show', id, '2')).description, 'second')

  const alias = ['function', 'alias'] as const
  await user.say(...alias, 'create', 'prod', '--function', id, '--function-version', '1')
  assert.equal((await user.show(...alias, 'show', 'prod')).function_version, 1)
  const run = ['function', 'execution', 'create'] as const
  const byAlias = await user.show(...run, '--function-alias', 'prod')
  assert.deepEqual([byAlias.function_alias, byAlias.function_version], ['prod', 1])
  assert.match(await logOf(byAlias.id), /old code/)
  await user.say(...alias, 'update', 'prod', '--function', id, '--function-version', '2')
  assert.match(await logOf((await user.show(...run, '--function-alias', 'prod')).id), /new code/)
  const byNumber = await user.show(...run, '--function', id, '--function-version', '1')
  assert.match(await logOf(byNumber.id), /old code/)
  await user.refused(/still associated with alias\. \(HTTP 403\)/, ...version, 'delete', id, '2')
  assert.equal((await user.show(...alias, 'list')).length, 1)
  await user.say(...alias, 'delete', 'prod')
  assert.equal(
    await admin.say(...version, 'detach', id, '1'),
    `Request to detach function ${id}(version 1) has been accepted.`,
  )
  await user.say(...version, 'delete', id, '2')
  assert.equal((await user.show(...version, 'list', id)).length, 1)
  await user.say('function', 'execution', 'delete', '--function', id)
  await user.say('function', 'delete', id)
})

test('the client scales a function and detaches its workers', { skip }, async () => {
  const id = await idOf('hello')
  const workers = async (): Promise<number> => (await admin.show('function', 'worker', 'list', id)).length
  const scaled = await admin.say('function', 'scaleup', id, '--count', '2')
  assert.equal(scaled, `Request to scale up function ${id} has been accepted.`)
  await until('there are two workers or more', async () => (await workers()) >= 2, 120_000)
  await admin.say('function', 'scaledown', id, '--count', '100')
  await until('there is one worker', async () => (await workers()) === 1, 120_000)
  await admin.say('function', 'detach', id)
  await until('there is none', async () => (await workers()) === 0, 120_000)
  await user.refused(/Unable to detach the specified function/, 'function', 'detach', id)
})

test('the client makes, shows, changes and deletes jobs', { skip }, async () => {
  const id = await idOf('hello')
  const made = await user.show(
    'job',
    'create',
    '--function',
    id,
    '--name',
    'nightly',
    '--pattern',
    '0 2 * * *',
  )
  assert.deepEqual([made.status, made.count, made.function_version], ['running', null, 0])
  assert.match(made.next_execution_time, /T02:00:00Z$/)
  await user.say('job', 'update', made.id, '--status', 'paused', '--name', 'night')
  const shown = await user.show('job', 'show', made.id)
  assert.deepEqual([shown.name, shown.status], ['night', 'paused'])
  assert.equal((await user.show('job', 'list')).length, 1)
  await user.refused(/Invalid status\. \(HTTP 400\)/, 'job', 'update', made.id, '--status', 'done')
  assert.equal(
    await user.say('job', 'delete', made.id),
    `Request to delete job ${made.id} has been accepted.`,
  )
})

test('a job of a second runs its function as often as it is told', { skip }, async () => {
  const id = await idOf('hello')
  const args = [
    '--function',
    id,
    '--pattern',
    '* * * * * *',
    '--count',
    '2',
    '--function-input',
    '{"name": "job"}',
  ]
  const job = await user.show('job', 'create', ...args)
  await until(
    'the job is done',
    async () => (await user.show('job', 'show', job.id)).status === 'done',
    120_000,
  )
  const filter = ['--filter', `description=has:${job.id}`]
  const list = ['function', 'execution', 'list', ...filter] as const
  await until(
    'both runs have ended',
    async () => (await user.show(...list)).every((each: { Status: string }) => each.Status === 'success'),
    120_000,
  )
  const runs = (await user.show(...list)) as { Result: string }[]
  assert.equal(runs.length, 2)
  for (const each of runs) assert.match(each.Result, /Hello, job!/)
  await user.say('job', 'delete', job.id)
})

test('the client makes, shows, changes and deletes webhooks, which anybody may call', { skip }, async () => {
  const id = await idOf('hello')
  const made = await user.show('webhook', 'create', '--function', id, '--description', 'first')
  assert.equal(made.webhook_url, `${address}/v1/webhooks/${made.id}/invoke`)
  await user.say('webhook', 'update', made.id, '--description', 'second')
  assert.equal((await user.show('webhook', 'show', made.id)).description, 'second')
  assert.equal((await user.show('webhook', 'list')).length, 1)
  const called = await fetch(made.webhook_url, {
    method: 'POST',
    body: new URLSearchParams({ name: 'hook' }),
  })
  assert.equal(called.status, 202)
  const { execution_id: execution } = (await called.json()) as { execution_id: string }
  await until(
    'the execution has ended',
    async () => (await user.show('function', 'execution', 'show', execution)).status === 'success',
    120_000,
  )
  const shown = await user.show('function', 'execution', 'show', execution)
  assert.equal(shown.description, `Created by Webhook ${made.id}`)
  assert.match(shown.result, /Hello, hook!/)
  await user.say('webhook', 'delete', made.id)
})

test('the client needs no Keystone: a token, or nothing where the operator names a project', {
  skip,
}, async () => {
  const token = new OpenStackClient(commands, folder, {
    OS_AUTH_TYPE: 'admin_token',
    OS_TOKEN: await server.token(),
    OS_ENDPOINT: address,
  })
  assert.equal((await token.show('runtime', 'list')).length, 1)
  const nothing = new OpenStackClient(commands, folder, { OS_AUTH_TYPE: 'none', OS_ENDPOINT: address })
  assert.equal((await nothing.show('runtime', 'list')).length, 1)
  const wrong = new OpenStackClient(commands, folder, {
    OS_AUTH_TYPE: 'admin_token',
    OS_TOKEN: 'forged',
    OS_ENDPOINT: address,
  })
  await wrong.refused(/HTTP 401/, 'runtime', 'list')
})
