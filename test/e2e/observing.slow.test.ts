import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import type { UsageRow } from '../../src/telemetry/index.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const CODE = {
  'index.mjs': `
await new Promise(resolve => setTimeout(resolve, 120))
const kept = []
export default async request => {
  const { pathname } = new URL(request.url)
  console.log('called with', pathname)
  if (pathname === '/throw') throw new Error('thrown on purpose')
  if (pathname === '/exit') process.exit(3)
  if (pathname === '/eat') kept.push(Buffer.alloc(40 << 20, 1))
  if (pathname === '/wait') await new Promise(resolve => setTimeout(resolve, 60))
  if (pathname === '/stay') await new Promise(() => setTimeout(() => {}, 60_000))
  return pathname
}`,
}

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
  await server.deploy('seen', CODE, { limits: { timeoutMs: 1500 } })
})
after(() => server?.dispose())

test('the record of a first call tells the time of loading apart from that of running, and bills both', async () => {
  const answer = await server.call('seen/wait', { method: 'POST', body: 'twelve bytes' })
  const record = await server.record(answer.headers.get('atelier-invocation-id'))
  assert.deepEqual(
    [
      record.status,
      record.httpStatus,
      record.version,
      record.cold,
      record.bytesIn,
      record.bytesOut,
      record.fault,
    ],
    ['ok', 200, 1, true, 12, 5, undefined],
  )
  assert.ok(
    record.initialisingMs >= 110,
    `${record.initialisingMs} ms of initialising, of which the code slept 120`,
  )
  assert.ok(record.runningMs >= 50, `${record.runningMs} ms of running, of which the code slept 60`)
  assert.equal(record.billedMs, Math.ceil(record.runningMs) + Math.ceil(record.initialisingMs))
  assert.ok((record.memoryPeakBytes ?? 0) > 1 << 20)
  const warm = await recordOf('/')
  assert.deepEqual([warm.cold, warm.initialisingMs, warm.startingMs], [false, 0, 0])
})

test('the peak of memory grows with what a call uses', async () => {
  await server.deploy('eater', CODE)
  const first = await server.call('eater/eat')
  const record = await server.record(first.headers.get('atelier-invocation-id'))
  assert.ok(record.memoryPeakBytes! > 40 << 20, `${record.memoryPeakBytes} bytes`)
})

for (const [path, status, outcome, fault, code] of [
  ['/throw', 500, 'error', 'function', 'FUNCTION_FAILED'],
  ['/exit', 502, 'error', 'function', 'FUNCTION_CRASHED'],
  ['/stay', 504, 'timeout', 'function', 'FUNCTION_TIMEOUT'],
] as const)
  test(`a call of ${path} is ${status}, and its record says whose fault it was`, async () => {
    const record = await recordOf(path)
    assert.deepEqual(
      [record.httpStatus, record.status, record.fault, record.errorCode],
      [status, outcome, fault, code],
    )
  })

test('the caller of code that throws learns nothing of its stack, and the log has it', async () => {
  const { headers, text } = await server.call('seen/throw')
  assert.doesNotMatch(text, /index\.mjs/)
  const id = headers.get('atelier-invocation-id')
  await server.record(id)
  const { json } = await server.api<{ items: { text: string; invocationId?: string }[] }>(
    'GET',
    `/v1/invocations/${id}/logs`,
  )
  const log = json.items.map(line => line.text).join('\n')
  assert.match(log, /called with \/throw/)
  assert.match(log, /thrown on purpose[^]*index\.mjs:7/)
})

test('logs -f shows lines as they are written, those of this function alone', async t => {
  await server.deploy('neighbour', CODE)
  const child = spawn(process.execPath, [BIN, 'logs', '-f', 'seen'], {
    env: bareEnvironment({ HOME: server.home, ATELIER_HOME: server.home }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  await until('the past is shown', () => said.includes('called with'))
  await server.call('neighbour/not-for-you')
  await server.call('seen/live-line')
  await until('the new line is shown', () => said.includes('called with /live-line'))
  assert.doesNotMatch(said, /not-for-you/)
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGINT')
  assert.equal(await ended, 130)
})

test('metrics count the calls by function and fault', async () => {
  const count = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const line = metrics
      .split('\n')
      .find(
        each =>
          /^atelier_calls_total\{.*function="seen".*fault="function"/.test(each) &&
          each.includes('status="error"'),
      )
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  const before = await count()
  for (let n = 0; n < 3; n++) await server.call('seen/throw')
  assert.equal(await count(), before + 3)
})

test('usage adds up what the records bill', async () => {
  await server.deploy('used', CODE)
  let billedMs = 0
  for (let n = 0; n < 3; n++) {
    const answer = await server.call('used/throw')
    billedMs += (await server.record(answer.headers.get('atelier-invocation-id'))).billedMs
  }
  const { json } = await server.api<{ items: UsageRow[] }>('GET', '/v1/usage?app=default&function=used')
  const sum = (read: (row: UsageRow) => number): number => json.items.reduce((all, row) => all + read(row), 0)
  assert.equal(
    sum(row => row.calls),
    3,
  )
  assert.equal(
    sum(row => row.errors),
    3,
  )
  assert.equal(
    sum(row => row.billedMs),
    billedMs,
  )
  assert.equal(
    sum(row => row.memoryMiBMs),
    billedMs * 128,
  )
})

test('the list of instances names the function of each, and they go when they are idle for long enough', async () => {
  await server.deploy('brief', { 'index.mjs': `export default () => 'here'` }, { scaling: { idleMs: 1000 } })
  await server.call('brief')
  const { stdout } = await server.cli('instance', 'list')
  assert.match(stdout, /idle +default\/brief:1 /)
  await until('the idle instance is gone', async () => (await server.instances('brief')).length === 0)
})

test('one instance takes as many calls at once as it may', async () => {
  const waits = {
    'index.mjs': `export default async (_, context) => { await new Promise(r => setTimeout(r, 300)); return context.instance }`,
  }
  await server.deploy('many', waits, { limits: { concurrency: 8 }, scaling: { instancesMax: 1 } })
  const answers = await Promise.all(Array.from({ length: 8 }, () => server.call('many')))
  assert.deepEqual(
    [new Set(answers.map(each => each.text)).size, answers.every(each => each.status === 200)],
    [1, true],
  )
  await server.deploy('single', waits, { limits: { concurrency: 1 } })
  const apart = await Promise.all(Array.from({ length: 3 }, () => server.call('single')))
  assert.ok(new Set(apart.map(each => each.text)).size > 1)
})

async function recordOf(path: string) {
  const answer = await server.call(`seen${path}`)
  return server.record(answer.headers.get('atelier-invocation-id'))
}
