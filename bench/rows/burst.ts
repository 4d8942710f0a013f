import { timedGet } from '../first-call.ts'
import { startPlatform } from '../platform.ts'
import type { Row } from '../row.ts'
import { percentile } from '../statistics.ts'

const FUNCTIONS = 50

export const burst: Row = {
  name: 'burst',
  title: `${FUNCTIONS} functions called for the first time at once`,
  async run(bench) {
    const platform = await startPlatform(bench)
    const urls: string[] = []
    for (let i = 0; i < FUNCTIONS; i++) urls.push(await platform.deploy(`burst-${i}`, 'hello.mjs'))
    const results = await Promise.allSettled(urls.map(timedGet))
    const times = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    for (const result of results) if (result.status === 'rejected') bench.say(String(result.reason))
    return [
      {
        what: 'p95',
        value: times.length > 0 ? percentile(times, 0.95) : Number.POSITIVE_INFINITY,
        unit: 'ms',
        floor: { most: 2_000 },
        detail: `p50 ${times.length > 0 ? percentile(times, 0.5).toFixed(0) : '-'} ms`,
      },
      { what: 'errors', value: FUNCTIONS - times.length, unit: 'errors', floor: { most: 0 } },
    ]
  },
}
