import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Invocation } from '../../src/core/index.ts'
import { runExample } from '../support/doc-example.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server.dispose())

interface Shown {
  readonly name: string
  readonly paused: boolean
  readonly status: {
    readonly state: string
    readonly accepted: number
    readonly lastCallId?: string
    readonly nextAt?: readonly string[]
  }
}

const show = async (name: string) => (await server.api<Shown>('GET', `/v1/triggers/${name}`)).json

test('the example of the page on schedules does what the page says', async () => {
  const { code, stdout, stderr } = await runExample('trigger-schedule.md', 'schedule', server.home)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /Europe\/Berlin/)
  const { status } = await show('nightly')
  assert.equal(status.nextAt?.length, 5)
  for (const at of status.nextAt) {
    const hour = new Date(at).toLocaleString('en-GB', {
      timeZone: 'Europe/Berlin',
      hour: '2-digit',
      minute: '2-digit',
    })
    assert.equal(hour, '03:00')
  }
  const record = await server.record(status.lastCallId ?? null)
  assert.deepEqual([record.status, record.trigger, record.functionName], ['ok', 'schedule', 'report'])
  const result = await server.api('GET', `/v1/async-invocations/${status.lastCallId}/result`)
  assert.equal(result.text, 'reported on orders')
})

test('a schedule calls its function again and again, and goes on after a restart', async () => {
  const home = await makeHome()
  try {
    const first = await ServerProcess.start({ home })
    await first.deploy('tick', {
      'index.js': 'export const handler = event => event.plannedAt',
    })
    const made = await first.cli('trigger', 'create', 'ticking', 'default/tick', '--schedule', '@every 1s')
    assert.equal(made.code, 0, made.stderr)
    const callsOf = async (of: ServerProcess) =>
      (await of.api<{ items: Invocation[] }>('GET', '/v1/invocations')).json.items
    await until('it was called three times', async () => (await callsOf(first)).length >= 3)
    await first.kill()
    const second = await ServerProcess.start({ home })
    try {
      const before = (await callsOf(second)).length
      await until('it is called again', async () => (await callsOf(second)).length >= before + 3)
      for (const call of await callsOf(second))
        assert.deepEqual([call.trigger, call.status], ['schedule', 'ok'])
    } finally {
      await second.dispose()
    }
  } finally {
    await removeHome(home)
  }
})

test('the command makes, shows, changes, pauses, fires and deletes a trigger', async () => {
  await server.deploy('job', { 'index.js': 'export const handler = event => event' })
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await server.cli('trigger', ...args)
    assert.equal(code, 0, stderr)
    return stdout
  }
  await run(
    'create',
    'made',
    '--function',
    'default/job',
    '--schedule',
    '0 4 * * *',
    '-c',
    'overlap=skip',
    '-c',
    'jitterMs=5',
  )
  assert.match(
    await run('list', '--kind', 'schedule'),
    /made +schedule +0 4 \* \* \* +default\/job:live +active/,
  )
  const shown = await run('show', 'made')
  for (const word of ['overlap', 'skip', 'jitterMs', 'next', '0 accepted'])
    assert.ok(shown.includes(word), shown)
  await run('update', 'made', '--schedule', '@every 2h')
  assert.match(await run('show', 'made'), /@every 2h/)
  await run('pause', 'made')
  assert.equal((await show('made')).status.state, 'paused')
  const id = (await run('fire', 'made', '--data', '{"by":"hand"}')).trim()
  const record = await server.record(id)
  assert.equal(record.status, 'ok')
  await run('resume', 'made')
  assert.equal((await show('made')).paused, false)
  assert.match(await run('kinds'), /schedule/)
  await run('delete', 'made')

  const wrong = await server.cli('trigger', 'create', 'bad', 'default/job', '--schedule', '61 * * * *')
  assert.notEqual(wrong.code, 0)
  assert.match(wrong.stderr, /minute/)
  for (const args of [
    ['create', 'bad', 'default/job'],
    ['create', 'bad', '--path', '/x'],
    ['create', 'bad', 'default/job', '--schedule', '@daily', '--data', 'nonsense'],
    ['rotate', 'no-such'],
    ['seek', 'no-such'],
  ])
    assert.notEqual((await server.cli('trigger', ...args)).code, 0, args.join(' '))
})
