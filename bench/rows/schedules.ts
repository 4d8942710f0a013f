import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AsyncCalls, createAsyncCalls } from '../../src/async/index.ts'
import {
  ASYNC_SETTINGS_DEFAULT,
  createAddressPolicy,
  type EventTrigger,
  FunctionTable,
  systemClock,
} from '../../src/core/index.ts'
import type { InvokeHandle, Invoker } from '../../src/invoker/index.ts'
import { openEventStore } from '../../src/store/index.ts'
import { createTriggers, Kinds, kindLoaders, storedRequests, storedStates } from '../../src/triggers/index.ts'
import type { Bench, Row } from '../row.ts'
import { percentile } from '../statistics.ts'

const LEAD_MS = 4_000 // the triggers are started by then
const WAIT_MS_MAX = 60_000

/**
 * Schedules of one second, on a real event store and engine in this process: how late each one's call is durable and due,
 * and how late its attempt begins, at a function that answers at once.
 */
export const schedules: Row = {
  name: 'schedules',
  title: 'schedules that are due at the same second: how late their calls are durable, and begin',
  async run(bench) {
    const { late, begun } = await fire(bench, bench.functionsMany)
    return [
      {
        what: `${bench.functionsMany} schedules, the last`,
        value: Math.max(...late),
        unit: 'ms',
        floor: { most: 200 },
        detail: `p50 ${percentile(late, 0.5).toFixed(0)} ms, p95 ${percentile(late, 0.95).toFixed(0)} ms`,
      },
      {
        what: 'their attempts, p50',
        value: percentile(begun, 0.5),
        unit: 'ms',
        detail: `p95 ${percentile(begun, 0.95).toFixed(0)} ms, last ${Math.max(...begun).toFixed(0)} ms`,
      },
      {
        what: 'calls too many or too few',
        value: Math.abs(late.length - bench.functionsMany),
        unit: 'errors',
        floor: { most: 0 },
      },
    ]
  },
}

async function fire(bench: Bench, count: number): Promise<{ late: number[]; begun: number[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-schedules-'))
  bench.after(() => rm(folder, { recursive: true, force: true }))
  const clock = systemClock
  const onProblem = (message: string, cause?: unknown) => bench.say(`${message}: ${String(cause)}`)
  const store = await openEventStore({ url: join(folder, 'events.db') })
  bench.after(() => store.close())
  const table = new FunctionTable()
  const at = Math.ceil((Date.now() + LEAD_MS) / 1_000) * 1_000
  table.publish([
    { kind: 'project', id: 'p', value: { id: 'p', name: 'bench', enabled: true } },
    {
      kind: 'function',
      id: 'f',
      value: {
        id: 'f',
        projectId: 'p',
        projectName: 'bench',
        appName: 'bench',
        name: 'later',
        access: 'private',
        versions: new Map(),
        aliases: new Map(),
        async: { ...ASYNC_SETTINGS_DEFAULT, concurrencyMax: 1_000 },
      },
    },
    ...Array.from({ length: count }, (_, i) => {
      const value = scheduleOf(i, at)
      return { kind: 'eventTrigger' as const, id: value.id, value }
    }),
  ])
  const begun: number[] = []
  const invoker: Invoker = {
    invoke(request, sink) {
      begun.push(Date.now() - at)
      queueMicrotask(() => {
        sink.onHead(204, [])
        sink.onEnd()
      })
      return doneAtOnce(request.attempt!.id)
    },
  }
  const calls = await createAsyncCalls({ store, invoker, table, clock, onProblem })
  bench.after(() => calls.close())
  const late: number[] = []
  const timed: AsyncCalls = Object.create(calls, {
    accept: {
      value: async (...args: Parameters<AsyncCalls['accept']>) => {
        const accepted = await calls.accept(...args)
        const now = Date.now()
        // One that was accepted before its time becomes due at it.
        for (const { duplicate } of accepted) if (!duplicate) late.push(Math.max(0, now - at))
        return accepted
      },
    },
  })
  const requests = storedRequests({ store, clock, onProblem })
  bench.after(() => requests.close())
  const triggers = createTriggers({
    table,
    kinds: new Kinds(kindLoaders({ addresses: createAddressPolicy(), requests })),
    async: timed,
    invoker,
    states: storedStates(store, clock),
    clock,
    onProblem,
  })
  bench.after(() => triggers.close())
  await triggers.start()
  if (Date.now() >= at) throw new Error('the triggers were not started in time')
  while (begun.length < count && Date.now() < at + WAIT_MS_MAX) await sleep(100)
  return { late, begun }
}

function scheduleOf(i: number, at: number): EventTrigger {
  const now = Date.now()
  return {
    id: `t${i}`,
    projectId: 'p',
    projectName: 'bench',
    functionId: 'f',
    appName: 'bench',
    functionName: 'later',
    name: `schedule-${i}`,
    kind: 'schedule',
    alias: 'live',
    format: 'native',
    config: {
      cron: `${(at / 1_000) % 60} * * * * *`,
      zone: i % 2 === 0 ? 'UTC' : 'Europe/Berlin',
      jitterMs: 0,
      missed: 'once',
      overlap: 'allow',
      count: 1,
    },
    tokens: [],
    paused: false,
    revision: 1,
    createdAt: now,
    updatedAt: now,
  }
}

function doneAtOnce(id: string): InvokeHandle {
  return {
    id,
    version: 1,
    write: () => true,
    writeMessage: () => true,
    end() {},
    consumed() {},
    cancel() {},
  }
}
