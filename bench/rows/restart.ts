import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPlatform } from '../platform.ts'
import type { Row } from '../row.ts'
import { ONE_INSTANCE } from './warm.ts'

const CLIENTS = 32 // half of them keep their connection, as long as the server says so
const BEFORE_AND_AFTER_MS = 1_000

export const restart: Row = {
  name: 'restart',
  title: 'A restart under load: requests that failed, and the longest that one waited for the new process',
  async run(bench) {
    const platform = await startPlatform(bench)
    const url = await platform.deploy('hello', 'hello.mjs', ONE_INSTANCE)
    const over = new AbortController()
    let answered = 0
    let failed = 0
    let longestMs = 0
    const client = async (isKept: boolean): Promise<void> => {
      const agent = new Agent({ keepAlive: isKept, maxSockets: 1 })
      while (!over.signal.aborted) {
        const begun = performance.now()
        if (await isAnswered(url, agent)) answered++
        else failed++
        longestMs = Math.max(longestMs, performance.now() - begun)
      }
      agent.destroy()
    }
    const clients = Array.from({ length: CLIENTS }, (_, i) => client(i % 2 === 0))
    for (let round = 0; round < bench.rounds; round++) {
      await sleep(BEFORE_AND_AFTER_MS)
      await platform.handOver()
    }
    await sleep(BEFORE_AND_AFTER_MS)
    over.abort()
    await Promise.all(clients)
    const detail = `${answered} answered over ${bench.rounds} restarts`
    return [
      { what: 'failed requests', value: failed, unit: 'errors', floor: { most: 0 }, detail },
      { what: 'longest wait of a request', value: longestMs, unit: 'ms' },
    ]
  },
}

function isAnswered(url: string, agent: Agent): Promise<boolean> {
  return new Promise(resolve => {
    const asked = request(url, { agent }, answer => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode === 200))
      answer.once('error', () => resolve(false))
    })
    asked.once('error', () => resolve(false))
    asked.end()
  })
}
