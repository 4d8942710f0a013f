import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createEvent } from '../../src/cloudevents/index.ts'
import { AtelierError } from '../../src/core/index.ts'
import { checkAlarm } from '../../src/triggers/alarm/config.ts'
import { createAlarmKind } from '../../src/triggers/alarm/kind.ts'
import { fits } from '../../src/triggers/alarm/wanted.ts'
import type { HookAnswer, HookRequest } from '../../src/triggers/index.ts'
import type { Outcome, RequestLog } from '../../src/triggers/request-log.ts'
import { anyText } from '../support/any-text.ts'
import { FakeClock } from '../support/clock.ts'
import { eventTrigger, hookRequest, RecordingHost } from '../support/trigger-host.ts'

test('alarm: a transition that Aodh tells of becomes a call with its body', async () => {
  const { post, host } = start({ source: 'aodh' })
  const answer = await post(aodh({}))
  assert.equal(answer.status, 202)
  assert.deepEqual(JSON.parse(String(answer.body)), { calls: ['call-1'], filtered: 0 })
  const [event] = host.delivered
  assert.equal(event!.source, '/aodh/alarms/7c0f')
  assert.equal(event!.type, 'org.openstack.aodh.transition.alarm')
  assert.equal(event!.subject, 'cpu_high')
  assert.deepEqual(event!.extensions, { state: 'alarm', previousstate: 'ok', severity: 'low' })
  assert.equal(JSON.parse(Buffer.from(event!.data).toString()).reason_data.most_recent, 95)
})

test('alarm: the content type of Aodh is not asked for, and what is no alarm is refused', async () => {
  const { post, host, log } = start({ source: 'aodh' })
  const request = aodh({})
  assert.equal((await post({ ...request, headers: [] })).status, 202)
  for (const body of ['', 'null', '[]', '{}', 'alarm', '{"alarm_id":1,"current":"ok"}', '{"alarm_id":"a"}'])
    await assert.rejects(post(hookRequest(body)), { code: 'INVALID_INPUT' })
  assert.equal(host.failures.length, 7)
  assert.equal(log.at(-1)!.outcome, 'refused')
  assert.equal((await post({ ...request, method: 'GET' })).status, 405)
})

test('alarm: only the states, severities and names that are wanted become calls', async () => {
  const { post, host } = start({
    source: 'aodh',
    states: ['alarm'],
    severities: ['Critical'],
    names: ['cpu*', '*disk*'],
  })
  const tell = async (change: object): Promise<number> =>
    (await post(aodh({ severity: 'critical', ...change }))).status
  assert.equal(await tell({}), 202)
  assert.equal(await tell({ alarm_id: 'b', alarm_name: 'my disk is full' }), 202)
  assert.equal(await tell({ alarm_id: 'c', current: 'ok', previous: 'alarm' }), 200)
  assert.equal(await tell({ alarm_id: 'd', current: 'insufficient data' }), 200)
  assert.equal(await tell({ alarm_id: 'e', severity: 'low' }), 200)
  assert.equal(await tell({ alarm_id: 'f', alarm_name: 'memory' }), 200)
  assert.equal(host.delivered.length, 2)
  assert.equal(host.filteredCount, 4)
})

test('alarm: Aodh telling the same change again is no second call, and the next change is one', async () => {
  const { post, host, clock } = start({ source: 'aodh' })
  const tell = async (change: object, requestId?: string): Promise<number> =>
    (await post(aodh(change, requestId))).status
  assert.equal(await tell({}, 'req-1'), 202)
  assert.equal(await tell({}, 'req-2'), 200, 'a second notifier told it')
  assert.equal(await tell({ previous: 'alarm' }, 'req-3'), 200, 'it goes on (repeat_actions)')
  clock.advance(60_000)
  assert.equal(await tell({}, 'req-1'), 200, 'the notifier tries again')
  assert.equal(await tell({ previous: 'alarm', current: 'ok' }, 'req-4'), 202)
  clock.advance(60_000)
  assert.equal(await tell({}, 'req-5'), 202, 'the same words, an hour later, are another change')
  assert.equal(host.delivered.length, 3)
})

test('alarm: every event of an event alarm is a call, once', async () => {
  const { post, host, clock } = start({ source: 'aodh' })
  const tell = async (messageId: string): Promise<number> => {
    const reason_data = {
      type: 'event',
      event: { message_id: messageId, event_type: 'compute.instance.update' },
    }
    clock.advance(1_000)
    return (await post(aodh({ previous: 'alarm', reason: `Event ${messageId}`, reason_data }))).status
  }
  assert.equal(await tell('m1'), 202)
  assert.equal(await tell('m2'), 202)
  assert.equal(await tell('m1'), 200)
  assert.equal(host.delivered.length, 2)
})

test('alarm: repetitions are calls for a trigger that wants them', async () => {
  const { post, host } = start({ source: 'aodh', repeats: 'keep' })
  await post(aodh({ previous: 'alarm' }, 'req-1'))
  await post(aodh({ previous: 'alarm' }, 'req-2'))
  assert.equal(host.delivered.length, 2)
})

test('alarm: what the queue did not accept is heard when it is told again', async () => {
  const { post, host } = start({ source: 'aodh' })
  host.refusal = new AtelierError('TOO_MANY_REQUESTS', 'Full.')
  await assert.rejects(post(aodh({})), { code: 'TOO_MANY_REQUESTS' })
  host.refusal = undefined
  assert.equal((await post(aodh({}))).status, 202)
})

test('alarm: the token of trust+http is kept from everybody, or given to the function by choice', async () => {
  for (const passToken of [false, true]) {
    const { post, host, log } = start({ source: 'aodh', passToken })
    const request = aodh({})
    await post({ ...request, headers: [...request.headers, 'x-auth-token', 'gAAAA-trust'] })
    const [event] = host.delivered
    assert.deepEqual(event!.headers, passToken ? ['x-auth-token', 'gAAAA-trust'] : undefined)
    assert.doesNotMatch(JSON.stringify(log), /gAAAA/)
  }
})

test('alarm: a sender may have to show a secret beside the URL', async () => {
  const { post, host } = start({ source: 'alertmanager', secrets: ['a bearer token', 'user:password'] })
  const told = alertmanager([alert({})])
  const withHeader = (value: string): HookRequest => ({ ...told, headers: ['authorization', value] })
  await assert.rejects(post(told), { code: 'UNAUTHENTICATED' })
  await assert.rejects(post(withHeader('Bearer another')), { code: 'UNAUTHENTICATED' })
  assert.equal(
    (await post(withHeader(`Basic ${Buffer.from('user:password').toString('base64')}`))).status,
    202,
  )
  assert.equal(host.failures.length, 2)
  assert.equal(host.delivered.length, 1)
})

test('alarm: each alert of a notification is a call, and none is told twice while it goes on', async () => {
  const { post, host, clock } = start({ source: 'alertmanager' })
  const disk = alert({ fingerprint: 'f1' })
  const cpu = alert({ fingerprint: 'f2', labels: { alertname: 'CpuHigh', severity: 'warning' } })
  assert.equal((await post(alertmanager([disk, cpu]))).status, 202)
  assert.deepEqual(
    host.delivered.map(each => [each.type, each.subject, each.source, each.time]),
    [
      ['io.prometheus.alert.firing', 'DiskFull', 'http://am.example:9093', Date.UTC(2026, 0, 1)],
      ['io.prometheus.alert.firing', 'CpuHigh', 'http://am.example:9093', Date.UTC(2026, 0, 1)],
    ],
  )
  const data = JSON.parse(Buffer.from(host.delivered[0]!.data).toString())
  assert.equal(data.labels.alertname, 'DiskFull')
  assert.equal(data.receiver, 'atelier')
  for (let i = 0; i < 12; i++) {
    clock.advance(4 * 3_600_000) // repeat_interval
    assert.equal((await post(alertmanager([disk, cpu]))).status, 200)
  }
  const resolved = { ...disk, status: 'resolved', endsAt: '2026-01-01T05:00:00Z' }
  assert.equal((await post(alertmanager([resolved, cpu]))).status, 202)
  assert.equal(host.delivered.at(-1)!.type, 'io.prometheus.alert.resolved')
  assert.equal(host.delivered.at(-1)!.time, Date.UTC(2026, 0, 1, 5))
  assert.equal((await post(alertmanager([{ ...disk, startsAt: '2026-01-03T00:00:00Z' }]))).status, 202)
  assert.equal(host.delivered.length, 4)
})

test('alarm: alerts are wanted by state, severity, name and labels', async () => {
  const { post, host } = start({
    source: 'alertmanager',
    states: ['firing'],
    names: ['Disk*'],
    severities: ['critical'],
    labels: { team: ['storage', 'block-*'], constructor: ['*'] },
  })
  let at = 0
  const tell = (change: object, labels: object = {}): Promise<HookAnswer> =>
    post(
      alertmanager([
        alert({
          fingerprint: `f${at++}`,
          ...change,
          labels: { alertname: 'DiskFull', severity: 'critical', team: 'block-1', ...labels },
        }),
      ]),
    )
  assert.equal((await tell({})).status, 202)
  assert.equal((await tell({ status: 'resolved' })).status, 200)
  assert.equal((await tell({}, { alertname: 'CpuHigh' })).status, 200)
  assert.equal((await tell({}, { severity: 'info' })).status, 200)
  assert.equal((await tell({}, { team: 'network' })).status, 200)
  assert.equal(host.delivered.length, 1)
})

test('alarm: a whole notification is one call by choice, with the alerts that are wanted', async () => {
  const { post, host } = start({ source: 'alertmanager', group: 'all', names: ['Disk*'] })
  const disk = alert({ fingerprint: 'f1' })
  const cpu = alert({ fingerprint: 'f2', labels: { alertname: 'CpuHigh' } })
  await post(alertmanager([disk, cpu]))
  assert.equal(host.delivered.length, 1)
  const [event] = host.delivered
  assert.equal(event!.type, 'io.prometheus.alerts.firing')
  assert.equal(event!.subject, '{}:{job="node"}')
  const data = JSON.parse(Buffer.from(event!.data).toString())
  assert.equal(data.alerts.length, 1)
  assert.equal(data.groupKey, '{}:{job="node"}')
  assert.equal((await post(alertmanager([disk, cpu]))).status, 200)
})

test('alarm: a notification that is none is refused', async () => {
  const { post } = start({ source: 'alertmanager' })
  for (const body of [
    {},
    { version: '3', alerts: [] },
    { version: '4' },
    { version: '4', alerts: [null] },
    { version: '4', alerts: [{}] },
    { version: '4', alerts: [alert({ startsAt: 1 })] },
  ])
    await assert.rejects(post(hookRequest(JSON.stringify(body))), { code: 'INVALID_INPUT' })
  const many = { version: '4', alerts: Array.from({ length: 1_001 }, () => alert({})) }
  await assert.rejects(post(hookRequest(JSON.stringify(many))), { code: 'BODY_TOO_LARGE' })
  assert.equal((await post(hookRequest('{"version":"4","alerts":[]}'))).status, 200)
})

test('alarm: whatever a sender says fits the attributes of a CloudEvent', async () => {
  const text = anyText({ minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(text, text, text, text, async (id, name, severity, previous) => {
      const { post, host } = start({ source: 'aodh' })
      await post(aodh({ alarm_id: id, alarm_name: name, severity, previous }))
      for (const { source, type, subject, extensions = {} } of host.delivered)
        createEvent({ id: 'x', source, type, ...(subject !== undefined && { subject }), extensions })
    }),
  )
})

test('alarm: a test-fire tells of an alarm as its source would', () => {
  for (const source of ['aodh', 'alertmanager'] as const) {
    const trigger = eventTrigger('alarm', configOf({ source }))
    const event = createAlarmKind(noLog([])).sample(trigger, 1_000)
    assert.match(event.type, source === 'aodh' ? /aodh/ : /prometheus/)
  }
})

test('alarm: a configuration that cannot be meant is refused', () => {
  for (const [config, pointer] of [
    [{ source: 'aodh', states: ['firing'] }, 'states'],
    [{ source: 'alertmanager', states: ['ok'] }, 'states'],
    [{ source: 'aodh', labels: { a: ['b'] } }, 'labels'],
    [{ source: 'aodh', group: 'all' }, 'group'],
    [{ source: 'alertmanager', passToken: true }, 'passToken'],
  ] as const) {
    const checked = checkAlarm(config)
    assert.ok('errors' in checked && checked.errors[0]!.pointer === pointer, pointer)
  }
})

test('alarm: patterns stand for what a regular expression would', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', '*', '**', '')
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 8 }),
      (p, t) => {
        const pattern = p.join('')
        const text = t.join('')
        const expected = new RegExp(`^${pattern.replace(/\*+/g, '.*')}$`).test(text)
        assert.equal(fits(pattern, text), expected, `${pattern} on ${text}`)
      },
    ),
  )
  assert.equal(fits('*a'.repeat(100), `${'a'.repeat(5_000)}b`), false)
})

function start(given: Readonly<Record<string, unknown>>) {
  const clock = new FakeClock()
  const host = new RecordingHost(clock)
  const log: Outcome[] = []
  const running = createAlarmKind(noLog(log)).start(eventTrigger('alarm', configOf(given)), host)
  const post = (request: HookRequest): Promise<HookAnswer> => running.receive!(request)
  return { post, host, clock, log }
}

function configOf(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const checked = checkAlarm(given)
  assert.ok('config' in checked, JSON.stringify(checked))
  assert.deepEqual(checkAlarm(checked.config), checked)
  return checked.config
}

function noLog(outcomes: Outcome[]): RequestLog {
  const never = async (): Promise<never> => assert.fail('not asked for')
  return { add: (_trigger, _limits, _request, what) => void outcomes.push(what), list: never, find: never }
}

/** As Aodh's notifier sends it. */
function aodh(change: object, requestId?: string): HookRequest {
  const body = {
    alarm_name: 'cpu_high',
    alarm_id: '7c0f',
    severity: 'low',
    previous: 'ok',
    current: 'alarm',
    reason: 'Transition to alarm due to 2 samples outside threshold, most recent: 95.0',
    reason_data: { type: 'threshold', disposition: 'outside', count: 2, most_recent: 95 },
    ...change,
  }
  const id = requestId === undefined ? [] : ['x-openstack-request-id', requestId]
  return hookRequest(JSON.stringify(body), ['content-type', 'application/json', ...id])
}

function alert(change: object): object {
  return {
    status: 'firing',
    labels: { alertname: 'DiskFull', severity: 'critical' },
    annotations: { summary: 'The disk is full.' },
    startsAt: '2026-01-01T00:00:00Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus.example/graph',
    fingerprint: 'f1',
    ...change,
  }
}

function alertmanager(alerts: readonly object[]): HookRequest {
  const body = {
    version: '4',
    groupKey: '{}:{job="node"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'atelier',
    groupLabels: { job: 'node' },
    commonLabels: {},
    commonAnnotations: {},
    externalURL: 'http://am.example:9093',
    alerts,
  }
  return hookRequest(JSON.stringify(body), ['content-type', 'application/json'])
}
