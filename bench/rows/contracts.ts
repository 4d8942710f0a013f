import { timedGet } from '../first-call.ts'
import { load } from '../load.ts'
import { startPlatform } from '../platform.ts'
import { startServer } from '../rivals.ts'
import type { Measure, Row } from '../row.ts'
import { median } from '../statistics.ts'

/** A program for each contract that answers with the same 13 bytes. */
const PROGRAMS: readonly (readonly [name: string, file: string, settings: object])[] = [
  ['frames', 'hello.mjs', {}],
  ['http', 'http-server.mjs', { contract: 'http' }],
  ['fission', 'contracts/fission.mjs', { contract: { name: 'fission', interfaceVersion: 2 } }],
  ['fn', 'contracts/fn.mjs', { contract: 'fn' }],
  ['lambda', 'contracts/lambda.mjs', { contract: 'lambda', entry: 'lambda.mjs' }],
  ['stdio-http', 'contracts/stdio-http.mjs', { contract: 'stdio-http' }],
  ['qinling', 'contracts/qinling.mjs', { contract: { name: 'qinling', functionName: 'main.main' } }],
  ['stdio', 'hello.sh', { contract: 'stdio', entry: 'hello.sh' }],
]
const AT_ONCE = 32
/** One instance: what is compared is the way to it. */
const ALONE = { scaling: { instancesMin: 1, instancesMax: 1 } }

/** Warm calls by each contract: what the way there and back adds, and how many there are in a second. */
export const contracts: Row = {
  name: 'contracts',
  title: 'Contracts: what a warm call adds to the same on bare node:http, one connection, p50',
  async run(bench) {
    const { url: bare } = await startServer(bench, 'bare')
    const measures: Measure[] = []
    const platform = await startPlatform(bench)
    for (const [name, file, settings] of PROGRAMS) {
      const url = await platform.deploy(name, file, { ...ALONE, ...settings })
      await timedGet(url)
      for (const target of [bare, url]) await load({ url: target, connections: 1, seconds: 1 })
      const added: number[] = []
      const rates: number[] = []
      let errors = 0
      for (let round = 0; round < Math.min(bench.rounds, 3); round++) {
        const theirs = await load({ url: bare, connections: 1, seconds: 1 })
        const ours = await load({ url, connections: 1, seconds: 1 })
        const many = await load({ url, connections: AT_ONCE, seconds: bench.secondsPerRound })
        added.push(ours.p50Us - theirs.p50Us)
        rates.push(many.perSecond)
        errors += ours.errors + many.errors
      }
      const us = median(added)
      bench.say(`${name}: ${Math.round(us)} us`)
      const detail = `${Math.round(median(rates))}/s with ${AT_ONCE} connections`
      measures.push(
        name === 'stdio'
          ? { what: 'stdio, a process for each call', value: us / 1_000, unit: 'ms', detail }
          : { what: name, value: us, unit: 'us', detail },
        { what: `${name}, errors`, value: errors, unit: 'errors', floor: { most: 0 } },
      )
    }
    return measures
  },
}
