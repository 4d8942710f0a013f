import { load } from '../load.ts'
import { type Platform, startPlatform } from '../platform.ts'
import { processorTimeUs } from '../processor-time.ts'
import type { Bench, Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'
import { ONE_INSTANCE } from './warm.ts'

const FEW = 10
const DEPLOYS_AT_ONCE = 8
const SETTLE_MS = 10_000 // an idle server gives back what load left behind after three quiet seconds

export const many: Row = {
  name: 'many',
  title: 'Many registered functions: warm throughput against few, and memory of the idle server',
  async run(bench) {
    await startOnce(bench)
    const servers = [
      { platform: await startPlatform(bench), functions: FEW },
      { platform: await startPlatform(bench), functions: bench.functionsMany },
    ] as const
    const urls: string[] = []
    for (const { platform, functions } of servers) {
      bench.say(`deploying ${functions} functions`)
      await deployMany(platform, functions - 1)
      urls.push(await platform.deploy('hello', 'hello.mjs', ONE_INSTANCE))
    }
    await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
    const [idle, idleMany] = [await servers[0].platform.memoryMB(), await servers[1].platform.memoryMB()]
    const [few, lots] = await interleave(
      bench,
      servers.map(({ platform }, i) => ({ url: urls[i]!, pid: platform.pid })),
    )
    return [
      {
        what: `throughput with ${bench.functionsMany} functions`,
        value: medianRatio(lots!.rates, few!.rates),
        unit: 'ratio',
        floor: { least: 0.95 },
        detail: `${shown(few!)} with ${FEW}, ${shown(lots!)}`,
      },
      { what: 'idle server', value: idle, unit: 'MB', floor: { most: 120 } },
      {
        what: `${bench.functionsMany} functions more`,
        value: idleMany - idle,
        unit: 'MB',
        floor: { most: 60 },
      },
    ]
  },
}

/**
 * The first start after a change of the sources takes their types away, and keeps the compiler for that in memory (about
 * 35 MB) until it ends. What counts is every later one.
 */
async function startOnce(bench: Bench): Promise<void> {
  const cleanUps: (() => Promise<void> | void)[] = []
  await startPlatform({ ...bench, after: cleanUp => cleanUps.push(cleanUp) })
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
}

async function deployMany(platform: Platform, count: number): Promise<void> {
  let next = 0
  const deployNext = async () => {
    while (next < count) await platform.deploy(`many-${next++}`, 'hello.mjs')
  }
  await Promise.all(Array.from({ length: DEPLOYS_AT_ONCE }, deployNext))
}

interface Taken {
  readonly rates: number[]
  readonly processorUs: number[]
}

function shown({ rates, processorUs }: Taken): string {
  return `${Math.round(median(rates))}/s and ${median(processorUs).toFixed(1)} us of processor a call`
}

/** The same one function is called on each server. Who is measured first changes from round to round. */
async function interleave(
  bench: Bench,
  targets: readonly { readonly url: string; readonly pid: number }[],
): Promise<Taken[]> {
  const taken = targets.map((): Taken => ({ rates: [], processorUs: [] }))
  for (const { url } of targets) await load({ url, connections: 32, seconds: 1 })
  for (let round = 0; round < bench.rounds; round++)
    for (let turn = 0; turn < targets.length; turn++) {
      const i = (round + turn) % targets.length
      const { url, pid } = targets[i]!
      const beforeUs = processorTimeUs(pid)
      const { perSecond } = await load({ url, connections: 32, seconds: bench.secondsPerRound })
      taken[i]!.rates.push(perSecond)
      taken[i]!.processorUs.push((processorTimeUs(pid) - beforeUs) / (perSecond * bench.secondsPerRound))
    }
  return taken
}
