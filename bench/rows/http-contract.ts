import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import { startServer } from '../rivals.ts'
import type { Measure, Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'
import { ONE_INSTANCE, ORDER } from './warm.ts'

/** The same server, by itself and as a function with the contract `http`. */
export const httpContract: Row = {
  name: 'http-contract',
  title:
    'A server as a function (contract http), 32 connections: throughput as a share of the same on bare node:http',
  async run(bench) {
    const bare = await startServer(bench, 'bare')
    const platform = await startPlatform(bench)
    const url = await platform.deploy('server', 'http-server.mjs', { ...ONE_INSTANCE, contract: 'http' })
    const measures: Measure[] = []
    for (const [what, body] of [
      ['GET 13 bytes', undefined],
      ['POST 1 KiB JSON', ORDER],
    ] as const) {
      const rates: { bare: number[]; ours: number[] } = { bare: [], ours: [] }
      let errors = 0
      const measure = async (target: string, seconds: number) =>
        load({ url: target, connections: 32, seconds, ...(body && { body }) })
      for (const target of [bare.url, url]) await measure(target, 1)
      for (let round = 0; round < bench.rounds; round++) {
        rates.bare.push((await measure(bare.url, bench.secondsPerRound)).perSecond)
        const ours = await measure(url, bench.secondsPerRound)
        rates.ours.push(ours.perSecond)
        errors += ours.errors
      }
      measures.push({
        what,
        value: medianRatio(rates.ours, rates.bare),
        unit: 'ratio',
        floor: { least: 0.35 },
        detail: `bare ${Math.round(median(rates.bare))}/s, atelier ${Math.round(median(rates.ours))}/s`,
      })
      measures.push({ what: `${what}, errors`, value: errors, unit: 'errors', floor: { most: 0 } })
    }
    return measures
  },
}
