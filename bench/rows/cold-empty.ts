import { join } from 'node:path'
import { timedGet, timedStart } from '../first-call.ts'
import { startPlatform } from '../platform.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const BARE = join(import.meta.dirname, '../servers/bare.mjs')

export const coldEmpty: Row = {
  name: 'cold-empty',
  title: 'First call with an empty pool (Node), against booting bare node with the same handler',
  async run(bench) {
    const platform = await startPlatform(bench, '--warm-instances', '0')
    const urls: string[] = []
    for (let i = 0; i < bench.firstCalls; i++) urls.push(await platform.deploy(`empty-${i}`, 'hello.mjs'))
    await timedGet(await platform.deploy('opener', 'hello.mjs'))
    const ours: number[] = []
    const bare: number[] = []
    for (const url of urls) {
      bare.push(await timedStart(bench, process.execPath, [BARE]))
      ours.push(await timedGet(url))
    }
    return [
      {
        what: 'ratio of the medians',
        value: median(ours) / median(bare),
        unit: 'ratio',
        floor: { most: 1.5 },
        detail: `atelier ${median(ours).toFixed(1)} ms, bare node ${median(bare).toFixed(1)} ms`,
      },
    ]
  },
}
