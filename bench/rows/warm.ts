import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import { startNginx, startServer } from '../rivals.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'

/** One instance that takes every call: what is compared is the way to it, not how many processes share the machine. */
export const ONE_INSTANCE = { limits: { concurrency: 1_000 }, scaling: { instancesMin: 1, instancesMax: 1 } }

const ORDER = JSON.stringify({
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
    const proxy = await startServer(bench, 'proxy', bare)
    const nginx = await startNginx(bench, bare)
    if (!nginx) bench.say('nginx is not installed: its figures are left out')
    const measures: Measure[] = []
    for (const [what, ours, body, floor, goal] of [
      ['GET 13 bytes', hello, undefined, 0.55, 0.9],
      ['POST 1 KiB JSON', order, ORDER, 0.9, 1.2],
    ] as const) {
      const targets = { bare, atelier: ours, proxy, ...(nginx && { nginx }) }
      const { rates, errors } = await interleave(bench, targets, body)
      const share = (name: string) => medianRatio(rates[name]!, rates['bare']!)
      measures.push({
        what,
        value: share('atelier'),
        unit: 'ratio',
        floor: { least: floor },
        goal: { least: goal },
        detail: `bare ${Math.round(median(rates['bare']!))}/s, atelier ${Math.round(median(rates['atelier']!))}/s, errors ${errors}`,
      })
      for (const name of ['nginx', 'proxy'])
        if (name in rates)
          measures.push({
            what: `${what}, ${name === 'proxy' ? 'http.request proxy' : name}`,
            value: share(name),
            unit: 'ratio',
          })
    }
    return measures
  },
}

async function interleave(
  bench: Bench,
  targets: Record<string, string>,
  body: string | undefined,
): Promise<{ rates: Record<string, number[]>; errors: number }> {
  const rates: Record<string, number[]> = {}
  let errors = 0
  for (const url of Object.values(targets))
    await load({ url, connections: 32, seconds: 1, ...(body && { body }) })
  for (let round = 0; round < bench.rounds; round++)
    for (const [name, url] of Object.entries(targets)) {
      const result = await load({
        url,
        connections: 32,
        seconds: bench.secondsPerRound,
        ...(body && { body }),
      })
      ;(rates[name] ??= []).push(result.perSecond)
      errors += result.errors
    }
  return { rates, errors }
}
