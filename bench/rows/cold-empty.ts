import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { timedGet } from '../first-call.ts'
import { startPlatform } from '../platform.ts'
import { end } from '../rivals.ts'
import type { Bench, Row } from '../row.ts'
import { median } from '../statistics.ts'

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
      bare.push(await bareBoot(bench))
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

/** From the start of the process to the end of its first answer. */
async function bareBoot(bench: Bench): Promise<number> {
  const startMs = performance.now()
  const child = spawn(process.execPath, [join(import.meta.dirname, '../servers/bare.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  bench.after(() => end(child))
  const url = await new Promise<string>(resolve =>
    child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
  )
  await timedGet(url)
  const tookMs = performance.now() - startMs
  await end(child)
  return tookMs
}
