import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import { processorTimeUs } from '../processor-time.ts'
import { startNginx, startServer } from '../rivals.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'

/** One instance that takes every call: what is compared is the way to it, not how many processes share the machine. */
export const ONE_INSTANCE = { limits: { concurrency: 1_000 }, scaling: { instancesMin: 1, instancesMax: 1 } }

// The compiler works beside the calls until then, and takes its time from them.
export const WARM_UP_SECONDS = 4

export const ORDER = JSON.stringify({
  items: Array.from({ length: 12 }, (_, i) => ({ id: i, name: `item number ${i}`, note: 'x'.repeat(40) })),
}).padEnd(1_024)

export const warm: Row = {
  name: 'warm',
  title: 'Warm calls, 32 connections: throughput as a share of the same handler on bare node:http',
  async run(bench) {
    const bare = await startServer(bench, 'bare')
    const platform = await startPlatform(bench)
    const hello = await platform.deploy('hello', 'hello.mjs', ONE_INSTANCE)
    const order = await platform.deploy('order', 'order.mjs', ONE_INSTANCE)
    const { url: proxy } = await startServer(bench, 'proxy', bare.url)
    const nginx = await startNginx(bench, bare.url)
    if (!nginx) bench.say('nginx is not installed: its figures are left out')
    const measures: Measure[] = []
    for (const [what, ours, body, floor, goal] of [
      ['GET 13 bytes', hello, undefined, 0.55, 0.9],
      ['POST 1 KiB JSON', order, ORDER, 0.9, 1.2],
    ] as const) {
      const targets: Record<string, Target> = {
        bare,
        atelier: { url: ours, pid: platform.pid },
        proxy: { url: proxy },
        ...(nginx && { nginx: { url: nginx } }),
      }
      const taken = await interleave(bench, targets, body)
      const share = (name: string) => medianRatio(taken[name]!.rates, taken['bare']!.rates)
      const rate = (name: string) =>
        `${name} ${Math.round(median(taken[name]!.rates))}/s and ${median(taken[name]!.processorUs).toFixed(1)} us of processor a call`
      const errors = taken['atelier']!.errors
      measures.push({
        what,
        value: share('atelier'),
        unit: 'ratio',
        floor: { least: floor },
        goal: { least: goal },
        detail: `${rate('bare')}, ${rate('atelier')} without the function`,
      })
      measures.push({ what: `${what}, errors`, value: errors, unit: 'errors', floor: { most: 0 } })
      for (const [name, shown] of [
        ['nginx', 'nginx'],
        ['proxy', 'http.request proxy'],
      ] as const)
        if (name in taken) measures.push({ what: `${what}, ${shown}`, value: share(name), unit: 'ratio' })
    }
    return measures
  },
}

interface Target {
  readonly url: string
  readonly pid?: number
}

interface Taken {
  readonly rates: number[]
  readonly processorUs: number[]
  errors: number
}

async function interleave(
  bench: Bench,
  targets: Record<string, Target>,
  body: string | undefined,
): Promise<Record<string, Taken>> {
  const taken: Record<string, Taken> = {}
  for (const { url } of Object.values(targets))
    await load({ url, connections: 32, seconds: WARM_UP_SECONDS, ...(body && { body }) })
  for (let round = 0; round < bench.rounds; round++)
    for (const [name, { url, pid }] of Object.entries(targets)) {
      const beforeUs = pid === undefined ? 0 : processorTimeUs(pid)
      const result = await load({
        url,
        connections: 32,
        seconds: bench.secondsPerRound,
        ...(body && { body }),
      })
      const of = (taken[name] ??= { rates: [], processorUs: [], errors: 0 })
      of.rates.push(result.perSecond)
      if (pid !== undefined)
        of.processorUs.push((processorTimeUs(pid) - beforeUs) / (result.perSecond * bench.secondsPerRound))
      of.errors += result.errors
    }
  return taken
}
