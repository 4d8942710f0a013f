import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import { startNginx, startServer } from '../rivals.ts'
import type { Measure, Row } from '../row.ts'
import { median } from '../statistics.ts'
import { ONE_INSTANCE } from './warm.ts'

export const latency: Row = {
  name: 'latency',
  title: 'Added latency at one connection, p50',
  async run(bench) {
    const { url: bare } = await startServer(bench, 'bare')
    const platform = await startPlatform(bench)
    const { url: proxy } = await startServer(bench, 'proxy', bare)
    const nginx = await startNginx(bench, bare)
    const targets = {
      bare,
      atelier: await platform.deploy('hello', 'hello.mjs', ONE_INSTANCE),
      proxy,
      ...(nginx && { nginx }),
    }
    const p50: Record<string, number[]> = {}
    for (const url of Object.values(targets)) await load({ url, connections: 1, seconds: 1 })
    for (let round = 0; round < bench.rounds; round++)
      for (const [name, url] of Object.entries(targets))
        (p50[name] ??= []).push((await load({ url, connections: 1, seconds: bench.secondsPerRound })).p50Us)
    const added = (name: string) => median(p50[name]!.map((value, round) => value - p50['bare']![round]!))
    const measures: Measure[] = [
      {
        what: 'atelier',
        value: added('atelier'),
        unit: 'us',
        floor: { most: 100 },
        goal: { most: 50 },
        detail: `bare ${median(p50['bare']!)} us`,
      },
    ]
    for (const name of ['nginx', 'proxy'])
      if (name in p50)
        measures.push({
          what: name === 'proxy' ? 'http.request proxy' : name,
          value: added(name),
          unit: 'us',
        })
    return measures
  },
}
