import { timedGet } from '../first-call.ts'
import { startPlatform } from '../platform.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { percentile } from '../statistics.ts'
import { firstCallsFromPool, WARM } from '../warm-pool.ts'

export const cold: Row = {
  name: 'cold',
  title: 'First call of a function, from the warm pool',
  async run(bench) {
    const measures: Measure[] = []
    for (const [environment, file, mostMs] of [
      ['nodejs', 'hello.mjs', 10],
      ['python', 'hello.py', 10],
    ] as const) {
      const times = await firstCalls(bench, environment, file)
      measures.push(
        { what: `${environment}, p50`, value: percentile(times, 0.5), unit: 'ms', floor: { most: mostMs } },
        {
          what: `${environment}, p95`,
          value: percentile(times, 0.95),
          unit: 'ms',
          floor: { most: 30 },
          detail: `${times.length} first calls of as many functions`,
        },
      )
    }
    return measures
  },
}

async function firstCalls(bench: Bench, environment: string, file: string): Promise<number[]> {
  const platform = await startPlatform(bench, '--warm-instances', String(WARM))
  const urls: string[] = []
  for (let i = 0; i < bench.firstCalls; i++) urls.push(await platform.deploy(`cold-${i}`, file))
  await timedGet(await platform.deploy('opener', file))
  return firstCallsFromPool(platform, environment, urls)
}
