import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import type { Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'
import { ONE_INSTANCE } from './warm.ts'

export const connections: Row = {
  name: 'connections',
  title: '500 connections: throughput as a share of that at 32, and errors',
  async run(bench) {
    const platform = await startPlatform(bench)
    const url = await platform.deploy('hello', 'hello.mjs', ONE_INSTANCE)
    await load({ url, connections: 32, seconds: 1 })
    const few: number[] = []
    const many: number[] = []
    let errors = 0
    for (let round = 0; round < bench.rounds; round++) {
      few.push((await load({ url, connections: 32, seconds: bench.secondsPerRound })).perSecond)
      const result = await load({ url, connections: 500, seconds: bench.secondsPerRound })
      many.push(result.perSecond)
      errors += result.errors
    }
    const detail = `${Math.round(median(few))}/s at 32, ${Math.round(median(many))}/s at 500`
    return [
      { what: 'throughput', value: medianRatio(many, few), unit: 'ratio', floor: { least: 0.8 }, detail },
      { what: 'errors', value: errors, unit: 'errors', floor: { most: 0 } },
    ]
  },
}
