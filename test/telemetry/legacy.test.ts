import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { type Invocation, newId } from '../../src/core/index.ts'
import { aLine, anInvocation, freshPath, PROJECT, startTelemetry } from './fixture.ts'

const DAY_MS = 86_400_000

/** The layout of the database that records were kept in before; the first had no attempts. */
const FIRST = `create table ids (key integer primary key, text text not null unique);
  create table sources (key integer primary key, project integer not null, function integer not null, app_name text not null,
    function_name text not null, version integer not null, memory_mib integer not null, trigger text not null);
  create table invocations (id text primary key, project integer not null, function integer not null, source integer not null,
    status text not null, http_status integer not null, fault text, error_code text, error_message text, cold integer not null,
    instance_id text, started_at integer not null, queued_ms real not null, starting_ms real not null,
    initialising_ms real not null, running_ms real not null, billed_ms integer not null, memory_peak_bytes integer,
    bytes_in integer not null, bytes_out integer not null, traceparent text) without rowid;
  create table logs (seq integer primary key, at integer not null, project_id text not null, function_id text not null,
    version integer not null, instance_id text not null, invocation_id text, stream text not null, text text not null);
  create table usage (project_id text not null, day text not null, function_id text not null, app_name text not null,
    function_name text not null, calls integer not null, errors integer not null, billed_ms integer not null,
    memory_mib_ms real not null, bytes_in integer not null, bytes_out integer not null,
    primary key (project_id, day, function_id)) without rowid;
  insert into ids values (1, '${PROJECT}'), (2, 'function-a');
  insert into sources values (1, 1, 2, 'demo', 'hello', 1, 128, 'http');
  pragma user_version = 1;`
const SECOND = `alter table invocations add column call text; alter table invocations add column attempt integer;
  alter table invocations add column held_ms real; pragma user_version = 2;`

function earlier(path: string, layout: string, records: readonly Invocation[]): void {
  const database = new DatabaseSync(path)
  database.exec(layout)
  const columns = layout === FIRST ? 21 : 24
  const insert = database.prepare(
    `insert into invocations values (${Array.from({ length: columns }, () => '?').join()})`,
  )
  database.exec('begin')
  for (const r of records) {
    const own = r.attempt === undefined ? r.id : newId(r.startedAt)
    const call = r.attempt === undefined ? [null, null, null] : [r.id, r.attempt, r.heldMs ?? 0]
    const values = [own, 1, 2, 1, r.status, r.httpStatus, r.fault ?? null, r.errorCode ?? null]
    const rest = [r.errorMessage ?? null, r.cold ? 1 : 0, r.instanceId ?? null, r.startedAt, r.queuedMs]
    const times = [r.startingMs, r.initialisingMs, r.runningMs, r.billedMs, r.memoryPeakBytes ?? null]
    const last = [r.bytesIn, r.bytesOut, r.traceparent ?? null, ...call]
    insert.run(...[...values, ...rest, ...times, ...last].slice(0, columns))
  }
  database
    .prepare('insert into logs values (null, ?, ?, ?, 1, ?, ?, ?, ?)')
    .run(Date.now(), PROJECT, 'function-a', 'i-1', records[0]!.id, 'stdout', 'from before')
  const day = new Date().toISOString().slice(0, 10)
  database
    .prepare('insert into usage values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(PROJECT, day, 'function-a', 'demo', 'hello', 40, 1, 80, 80 * 128, 400, 800)
  database.exec('commit')
  database.close()
}

test('what an earlier version kept is taken over whole, and its database goes', async () => {
  const path = freshPath()
  const earlierPath = `${path}.db`
  const first = anInvocation({ attempt: 1, heldMs: 5, status: 'error', errorCode: 'FUNCTION_FAILED' })
  const records = [
    anInvocation({ instanceId: 'i-1', memoryPeakBytes: 4_096, cold: true }),
    ...Array.from({ length: 2_500 }, (_, i) => anInvocation({ startedAt: Date.now() - 10_000 + i })),
    first,
    { ...first, attempt: 2, status: 'ok' as const, startedAt: first.startedAt + 5 },
  ]
  earlier(earlierPath, FIRST + SECOND, records)
  const telemetry = startTelemetry({ path, earlierPath })
  const now = anInvocation()
  telemetry.onInvocation(now) // not held up
  await telemetry.ready
  assert.deepEqual(await telemetry.getInvocation(PROJECT, records[0]!.id), records[0])
  assert.deepEqual(await telemetry.getInvocation(PROJECT, now.id), now)
  assert.deepEqual(await telemetry.listAttempts(PROJECT, first.id), records.slice(-2))
  assert.equal((await telemetry.listInvocations(PROJECT, {}, { limit: 1_000 })).items.length, 1_000)
  const lines = await telemetry.listLogs(PROJECT, { invocationId: records[0]!.id }, 10)
  assert.deepEqual(
    lines.map(({ text }) => text),
    ['from before'],
  )
  const sums = await telemetry.usage(PROJECT, { fromMs: Date.now() - DAY_MS, toMs: Date.now() + DAY_MS })
  assert.equal(
    sums.reduce((calls, row) => calls + row.calls, 0),
    41,
  )
  assert.equal(existsSync(earlierPath), false)
})

test('a takeover that was cut off begins anew, and its first layout had no attempts', async () => {
  const path = freshPath()
  const earlierPath = `${path}.db`
  const records = [anInvocation()]
  for (let round = 0; round < 2; round++) {
    earlier(earlierPath, FIRST, records) // the second time it is there again, as after a crash
    const telemetry = startTelemetry({ path, earlierPath })
    await telemetry.ready
    assert.deepEqual((await telemetry.listInvocations(PROJECT, {}, {})).items, records)
    const [sum] = await telemetry.usage(PROJECT, { fromMs: Date.now() - DAY_MS, toMs: Date.now() + DAY_MS })
    assert.equal(sum?.calls, 40)
    telemetry.onLog(aLine())
    await telemetry.close()
  }
})

test('a database of a newer Atelier is left alone, and told', async () => {
  const path = freshPath()
  const database = new DatabaseSync(`${path}.db`)
  database.exec('pragma user_version = 99')
  database.close()
  const told: string[] = []
  const telemetry = startTelemetry({
    path,
    earlierPath: `${path}.db`,
    onProblem: (message, cause) => told.push(`${message} ${cause}`),
  })
  await telemetry.ready
  assert.match(told.join(), /newer Atelier/)
  assert.ok(existsSync(`${path}.db`))
  telemetry.onInvocation(anInvocation())
  await telemetry.listInvocations(PROJECT, {}, {})
  assert.equal(readdirSync(join(path, PROJECT)).length, 1)
})
