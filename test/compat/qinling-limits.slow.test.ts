import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { rawZip } from '../builder/archives.ts'
import { ServerProcess } from '../support/server-process.ts'

const python = await pythonEnvironment.probe()
const skip = python.ready ? false : python.reason

let server: ServerProcess
let address: string
let runtime: string

interface Execution {
  readonly id: string
  readonly status: string
  readonly result: string
}

before(async () => {
  if (skip !== false) return
  server = await ServerProcess.start({ flags: ['--dialects', 'qinling:0'] })
  const login = await fetch(`${server.url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'admin', domain: { id: 'default' }, password: server.login.password } },
        },
        scope: { project: { name: 'default', domain: { id: 'default' } } },
      },
    }),
  })
  const { token } = (await login.json()) as {
    token: { catalog: { type: string; endpoints: { url: string }[] }[] }
  }
  address = token.catalog.find(each => each.type === 'function-engine')!.endpoints[0]!.url
  runtime = ((await ask('POST', '/v1/runtimes', { image: 'python3' })) as { id: string }).id
})

after(() => server?.dispose())

async function ask(method: string, path: string, body?: object | FormData): Promise<unknown> {
  const isForm = body instanceof FormData
  const answer = await fetch(address + path, {
    method,
    headers: {
      'x-auth-token': await server.token(),
      ...(body && !isForm && { 'content-type': 'application/json' }),
    },
    ...(body && { body: isForm ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
  return JSON.parse(text)
}

/** A function with this body, and what it answers to some executions at once. */
async function made(body: string, limits: Readonly<Record<string, string>> = {}): Promise<string> {
  const code = `import os, time\ndef main(**kwargs):\n${body.replaceAll(/^/gm, '    ')}\n`
  const archive = rawZip([{ name: 'main.py', body: code }])
  const form = new FormData()
  const md5sum = createHash('md5').update(archive).digest('hex')
  const fields = {
    runtime_id: runtime,
    code: JSON.stringify({ source: 'package', md5sum }),
    timeout: '60',
    ...limits,
  }
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  form.set('package', new Blob([new Uint8Array(archive)]), 'package.zip')
  return ((await ask('POST', '/v1/functions', form)) as { id: string }).id
}

async function run(id: string): Promise<Execution> {
  return (await ask('POST', '/v1/executions', { function_id: id })) as Execution
}

async function workers(id: string): Promise<number> {
  return ((await ask('GET', `/v1/functions/${id}/workers`)) as { workers: unknown[] }).workers.length
}

const HELD = 'held = []\nfor i in range(4):\n    held.append(bytearray(20 * 1024 * 1024))\nreturn len(held)'

test('a function has the memory that it asked for, and no more', { skip }, async () => {
  const small = await run(await made(HELD))
  assert.equal(small.status, 'failed')
  assert.match(small.result, /too much resource consumption/)
  const large = await run(await made(HELD, { memory_size: String(128 * 1024 * 1024) }))
  assert.deepEqual([large.status, /"output": (\d+)/.exec(large.result)?.[1]], ['success', '4'])
})

test('a function that makes too many processes is ended', { skip }, async () => {
  const id = await made(
    'for i in range(300):\n    if os.fork() == 0:\n        time.sleep(300)\n        os._exit(0)\nreturn 1',
    { memory_size: String(128 * 1024 * 1024), cpu: '300' },
  )
  const forked = await run(id)
  assert.equal(forked.status, 'failed')
  assert.doesNotMatch(forked.result, /"output": 1,/)
})

test('a function ends at its timeout, and its log is there', { skip }, async () => {
  const late = await run(await made('print("begun")\ntime.sleep(300)', { timeout: '2' }))
  assert.equal(late.status, 'failed')
  const { output, duration } = JSON.parse(late.result)
  assert.equal(output, 'Function execution timeout.')
  assert.ok(duration >= 2)
  const log = await fetch(`${address}/v1/executions/${late.id}/log`, {
    headers: { 'x-auth-token': await server.token() },
  })
  assert.match(await log.text(), /^Start execution: .*\nbegun\n$/)
})

test('three executions at once share a worker, and six have two', { skip }, async () => {
  const id = await made('time.sleep(8)\nreturn 1')
  for (const [count, expected] of [
    [3, 1],
    [6, 2],
  ] as const) {
    const ended = await Promise.all(Array.from({ length: count }, () => run(id)))
    for (const each of ended) assert.equal(each.status, 'success', each.result)
    assert.equal(await workers(id), expected, `${count} executions`)
  }
})
