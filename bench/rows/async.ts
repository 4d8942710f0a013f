import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../load.ts'
import { type Platform, startPlatform } from '../platform.ts'
import type { Bench, Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'
import { ONE_INSTANCE } from './warm.ts'

const CONNECTIONS = 32
const BATCH = 1_000
const BATCHES_AT_ONCE = 4
const IDLE_CALLS = 100
const DRAIN_MS_MAX = 300_000
const POLL_MS = 200
/** Fewer of the calls that work: those take the time that the function takes. */
const WORKING_PART = 1 / 5

export const asyncCalls: Row = {
  name: 'async',
  title: 'Asynchronous calls: durable accepts one by one and batched, accept to start, draining a long queue',
  async run(bench) {
    const platform = await startPlatform(bench)
    const later = await deploy(platform, 'later', 'hello.mjs', 100)
    const work = await deploy(platform, 'work', 'work.mjs', CONNECTIONS)
    await load({ url: later.url, connections: CONNECTIONS, seconds: 4 })
    const starts = await acceptToStart(platform, later)
    await later.set({ paused: true })
    const single: number[] = []
    let errors = 0
    for (let round = 0; round < bench.rounds; round++) {
      const result = await load({
        url: `${later.url}?async=1`,
        connections: CONNECTIONS,
        seconds: bench.secondsPerRound,
      })
      single.push(result.perSecond)
      errors += result.errors
    }
    await platform.ask('POST', '/v1/async-invocations/cancel', {})
    const many = await drain(bench, platform, later, bench.queued)
    const twice = await drain(bench, platform, later, 2 * bench.queued)
    // A heap that has grown once is larger for what follows, however long the queue: the first drain alone would be no measure.
    const again = await drain(bench, platform, later, bench.queued)
    const onceMB = Math.max(many.memoryMB, again.memoryMB)
    const working = await drain(bench, platform, work, Math.ceil(bench.queued * WORKING_PART))
    return [
      {
        what: `durable accepts, ${CONNECTIONS} connections`,
        value: median(single),
        unit: '/s',
        floor: { least: 3_000 },
      },
      {
        what: `durable accepts, batches of ${BATCH}`,
        value: many.acceptedPerSecond,
        unit: '/s',
        floor: { least: 20_000 },
      },
      { what: 'refused or broken', value: errors, unit: 'errors', floor: { most: 0 } },
      {
        what: 'accept to start, idle, p50',
        value: percentile(starts, 0.5),
        unit: 'ms',
        floor: { most: 10 },
        detail: `p95 ${percentile(starts, 0.95).toFixed(1)} ms`,
      },
      {
        what: `queued calls of a function that works 5 ms drain, ${CONNECTIONS} at once, share of direct calls`,
        value: working.perSecond / working.directPerSecond,
        unit: 'ratio',
        floor: { least: 0.9 },
        detail: `${working.count} calls, ${rates(working)}`,
      },
      {
        what: `${many.count} queued calls of a function that does nothing drain, share of direct calls`,
        value: many.perSecond / many.directPerSecond,
        unit: 'ratio',
        floor: { least: 0.3 },
        goal: { least: 0.5 },
        detail: rates(many),
      },
      {
        what: 'memory at most while twice as many drain, beyond that',
        value: twice.memoryMB - onceMB,
        unit: 'MB',
        floor: { most: 30 },
        detail: `${Math.round(many.memoryMB)} and ${Math.round(again.memoryMB)} MB with ${many.count}, ${Math.round(twice.memoryMB)} MB with ${twice.count}`,
      },
    ]
  },
}

interface Target {
  readonly path: string
  readonly url: string
  set(change: { readonly paused: boolean }): Promise<unknown>
}

async function deploy(
  platform: Platform,
  name: string,
  file: string,
  concurrencyMax: number,
): Promise<Target> {
  const settings = { queuedMax: 1_000_000, concurrencyMax }
  const url = await platform.deploy(name, file, { ...ONE_INSTANCE, async: settings })
  const path = `/v1/apps/bench/functions/${name}`
  return { path, url, set: change => platform.ask('PATCH', path, { async: { ...settings, ...change } }) }
}

/** How long each call lay in the queue before its attempt began, by its own record. */
async function acceptToStart(platform: Platform, { url }: Target): Promise<number[]> {
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

async function acceptBatches(platform: Platform, { path }: Target, count: number): Promise<number> {
  const calls = Array.from({ length: BATCH }, (_, i) => ({ body: { order: i } }))
  let left = count
  const startedAt = performance.now()
  const accept = async (): Promise<void> => {
    while (left > 0) {
      left -= BATCH
      await platform.ask('POST', `${path}/async-invocations`, { calls })
    }
  }
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, accept))
  return count / ((performance.now() - startedAt) / 1_000)
}

interface Drained {
  readonly count: number
  readonly acceptedPerSecond: number
  readonly perSecond: number
  /** Of the same instance, called directly: the mean of before and after. */
  readonly directPerSecond: number
  /** Of the server, at most. */
  readonly memoryMB: number
}

/** Queues `count` calls of a function that is paused, lets them go, and waits until the last has ended. */
async function drain(bench: Bench, platform: Platform, target: Target, count: number): Promise<Drained> {
  await target.set({ paused: true })
  const acceptedPerSecond = await acceptBatches(platform, target, count)
  const direct = () => load({ url: target.url, connections: CONNECTIONS, seconds: bench.secondsPerRound })
  const before = await direct()
  let memoryMB = await platform.memoryMB()
  const startedAt = performance.now()
  await target.set({ paused: false })
  for (;;) {
    const { queued, running } = (await platform.ask('GET', `${target.path}/queue`)) as {
      queued: number
      running: number
    }
    memoryMB = Math.max(memoryMB, await platform.memoryMB())
    if (queued + running === 0) break
    if (performance.now() - startedAt > DRAIN_MS_MAX) throw new Error(`${queued} calls still wait`)
    await sleep(POLL_MS)
  }
  const perSecond = count / ((performance.now() - startedAt) / 1_000)
  const directPerSecond = (before.perSecond + (await direct()).perSecond) / 2
  return { count, acceptedPerSecond, perSecond, directPerSecond, memoryMB }
}

function rates({ perSecond, directPerSecond }: Drained): string {
  return `${Math.round(perSecond)}/s, direct ${Math.round(directPerSecond)}/s`
}
