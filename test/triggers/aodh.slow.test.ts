/** Aodh's own notifier, as Debian packages it, tells of an alarm at the URL of a trigger on a whole server. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Invocation } from '../../src/core/index.ts'
import { ServerProcess } from '../support/server-process.ts'

const NOTIFIER = '/usr/lib/python3/dist-packages/aodh/notifier/rest.py'
const PYTHON = '/usr/bin/python3' // Debian's OpenStack modules exist for its own Python only
const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'telemetry-alarm')
const STEP_MS_MAX = 60_000

const skip = existsSync(NOTIFIER) ? false : `not installed: python3-aodh (${NOTIFIER})`

suite("Aodh's notifier", { skip, timeout: 180_000 }, () => {
  let server: ServerProcess

  before(async () => {
    server = await ServerProcess.start()
    const files = { 'main.py': readFileSync(join(EXAMPLE, 'main.py'), 'utf8') }
    await server.deploy('telemetry-alarm', files, { environment: 'python', entry: 'main:main' })
  })

  after(() => server?.dispose())

  test('a transition calls the example function, and the next one too', async () => {
    const url = await createTrigger('cpu', { source: 'aodh' })
    await notify(url, { previous: 'ok', current: 'alarm' })
    await logged(/cpu_high: ok -> alarm, scale out: Transition to alarm due to 2 samples/)
    await notify(url, { previous: 'alarm', current: 'alarm' })
    await notify(url, { previous: 'alarm', current: 'ok' })
    await logged(/cpu_high: alarm -> ok, scale in/)
    const status = await statusOf('cpu')
    assert.deepEqual([status.accepted, status.filtered, status.failed], [2, 1, 0])
    const { json } = await server.api<{ items: Invocation[] }>('GET', '/v1/invocations')
    assert.ok(json.items.every(each => each.trigger === 'alarm' && each.status === 'ok'))
  })

  test('a trigger for raised alarms hears of no others', async () => {
    const url = await createTrigger('raised', { source: 'aodh', states: ['alarm'], severities: ['critical'] })
    await notify(url, { previous: 'alarm', current: 'insufficient data' })
    await notify(url, { previous: 'ok', current: 'alarm', severity: 'low' })
    await notify(url, { previous: 'ok', current: 'alarm', severity: 'critical' })
    const status = await statusOf('raised')
    assert.deepEqual([status.accepted, status.filtered], [1, 2])
    const { json } = await server.api<{ items: { headers: string[]; outcome: string; bodyText: string }[] }>(
      'GET',
      '/v1/triggers/raised/requests',
    )
    assert.deepEqual(
      json.items.map(each => each.outcome),
      ['accepted', 'filtered', 'filtered'],
    )
    assert.ok(json.items[0]!.headers.includes('x-openstack-request-id'))
    assert.equal((JSON.parse(json.items[0]!.bodyText) as { severity: string }).severity, 'critical')
  })

  test("the notifier's token of trust+http is kept nowhere", async () => {
    const url = await createTrigger('trusted', { source: 'aodh' })
    await notify(url, { previous: 'ok', current: 'alarm', token: 'gAAAA-a-trust-token' })
    assert.equal((await statusOf('trusted')).accepted, 1)
    const { text } = await server.api('GET', '/v1/triggers/trusted/requests')
    assert.doesNotMatch(text, /gAAAA/)
    assert.doesNotMatch(server.stderr, /gAAAA|hooks/)
  })

  async function createTrigger(name: string, config: object): Promise<string> {
    const input = { name, kind: 'alarm', app: 'default', function: 'telemetry-alarm', config }
    const { status, text, json } = await server.api<{ url: string }>('POST', '/v1/triggers', input)
    assert.equal(status, 201, text)
    return json.url
  }

  async function statusOf(name: string) {
    const { json } = await server.api<{ status: { accepted: number; filtered: number; failed: number } }>(
      'GET',
      `/v1/triggers/${name}`,
    )
    return json.status
  }

  /** Waits until the function has said it. */
  async function logged(what: RegExp): Promise<void> {
    const until = performance.now() + STEP_MS_MAX
    let said = ''
    while (performance.now() < until) {
      said = (await server.cli('logs', 'telemetry-alarm')).stdout
      if (what.test(said)) return
      await sleep(200)
    }
    assert.match(said, what)
  }
})

interface Notification {
  readonly previous: string
  readonly current: string
  readonly severity?: string
  /** As `trust+http` sends it. */
  readonly token?: string
}

async function notify(
  url: string,
  { previous, current, severity = 'low', token }: Notification,
): Promise<void> {
  const given = JSON.stringify({ url, previous, current, severity, token: token ?? null })
  await promisify(execFile)(PYTHON, ['-c', PROGRAM, given], { timeout: STEP_MS_MAX })
}

const PROGRAM = `
import json, sys
from urllib.parse import urlsplit
from oslo_config import cfg
from aodh.notifier import rest
given = json.loads(sys.argv[1])
conf = cfg.ConfigOpts(); conf.register_opts(rest.OPTS); conf([])
headers = {'X-AUTH-TOKEN': given['token']} if given['token'] else None
rest.RestAlarmNotifier(conf).notify(
    urlsplit(given['url']), '7c0f2f2e', 'cpu_high', given['severity'], given['previous'], given['current'],
    'Transition to %s due to 2 samples outside threshold, most recent: 95.0' % given['current'],
    {'type': 'threshold', 'disposition': 'outside', 'count': 2, 'most_recent': 95.0}, headers)
`
