import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../load.ts'
import { type Platform, startPlatform } from '../platform.ts'
import type { Bench, Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'
import { ONE_INSTANCE } from './warm.ts'

const FUNCTION = '/v1/apps/bench/functions/later'
const CONNECTIONS = 32
const BATCH = 1_000
const BATCHES_AT_ONCE = 4
const IDLE_CALLS = 100
const DRAIN_MS_MAX = 300_000

export const asyncCalls: Row = {
  name: 'async',
  title: 'asynchronous calls: durable accepts one by one and batched, accept to start, draining a long queue',
  async run(bench) {
    const platform = await startPlatform(bench)
    const url = await platform.deploy('later', 'hello.mjs', {
      ...ONE_INSTANCE,
      async: { queuedMax: 1_000_000 },
    })
    await load({ url, connections: CONNECTIONS, seconds: 4 })
    const starts = await acceptToStart(platform, url)
    await pause(platform, true)
    const single: number[] = []
    let errors = 0
    for (let round = 0; round < bench.rounds; round++) {
      const result = await load({
        url: `${url}?async=1`,
        connections: CONNECTIONS,
        seconds: bench.secondsPerRound,
      })
      single.push(result.perSecond)
      errors += result.errors
    }
    await platform.ask('POST', '/v1/async-invocations/cancel', {})
    const batched = await acceptBatches(platform, bench.queued)
    const drained = await drain(platform, url, bench)
    return [
      {
        what: `durable accepts, ${CONNECTIONS} connections`,
        value: median(single),
        unit: '/s',
        floor: { least: 3_000 },
      },
      { what: 'refused or broken', value: errors, unit: 'errors', floor: { most: 0 } },
      {
        what: `durable accepts, batches of ${BATCH}`,
        value: batched,
        unit: '/s',
        floor: { least: 20_000 },
      },
      {
        what: 'accept to start, idle, p50',
        value: percentile(starts, 0.5),
        unit: 'ms',
        floor: { most: 10 },
        detail: `p95 ${percentile(starts, 0.95).toFixed(1)} ms`,
      },
      {
        what: `${bench.queued} queued calls drain, share of direct calls`,
        value: drained.perSecond / drained.directPerSecond,
        unit: 'ratio',
        detail: `${Math.round(drained.perSecond)}/s, direct ${Math.round(drained.directPerSecond)}/s`,
      },
      { what: 'memory that draining added', value: drained.grownMB, unit: 'MB' },
    ]
  },
}

function pause(platform: Platform, paused: boolean): Promise<unknown> {
  return platform.ask('PATCH', FUNCTION, { async: { paused, queuedMax: 1_000_000 } })
}

/** How long each call lay in the queue before its attempt began, by its own record. */
async function acceptToStart(platform: Platform, url: string): Promise<number[]> {
  for (let i = 0; i < IDLE_CALLS; i++) {
    await (await fetch(`${url}?async=1`)).arrayBuffer()
    await sleep(10)
  }
  await sleep(500)
  const { items } = (await platform.ask('GET', `/v1/invocations?limit=${IDLE_CALLS}`)) as {
    items: { heldMs?: number }[]
  }
  return items.flatMap(({ heldMs }) => (heldMs === undefined ? [] : [heldMs]))
}

async function acceptBatches(platform: Platform, count: number): Promise<number> {
  const calls = Array.from({ length: BATCH }, (_, i) => ({ body: { order: i } }))
  let left = count
  const startedAt = performance.now()
  const accept = async (): Promise<void> => {
    while (left > 0) {
      left -= BATCH
      await platform.ask('POST', `${FUNCTION}/async-invocations`, { calls })
    }
  }
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, accept))
  return count / ((performance.now() - startedAt) / 1_000)
}

async function drain(
  platform: Platform,
  url: string,
  bench: Bench,
): Promise<{ perSecond: number; directPerSecond: number; grownMB: number }> {
  const direct = await load({ url, connections: CONNECTIONS, seconds: bench.secondsPerRound })
  const before = await platform.memoryMB()
  let most = before
  const startedAt = performance.now()
  await pause(platform, false)
  for (;;) {
    const { queued, running } = (await platform.ask('GET', `${FUNCTION}/queue`)) as {
      queued: number
      running: number
    }
    most = Math.max(most, await platform.memoryMB())
    if (queued + running === 0) break
    if (performance.now() - startedAt > DRAIN_MS_MAX) throw new Error(`${queued} calls still wait`)
    await sleep(200)
  }
  const perSecond = bench.queued / ((performance.now() - startedAt) / 1_000)
  return { perSecond, directPerSecond: direct.perSecond, grownMB: most - before }
}
