import { spawn } from 'node:child_process'
import { Agent, request } from 'node:http'
import { end } from './rivals.ts'
import type { Bench } from './row.ts'

/** One connection for everything that is timed: what is measured is the call, not the opening of sockets. */
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Milliseconds from sending a GET to the end of its answer. Rejects when that is not a 200. */
export function timedGet(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    request(url, { agent }, response => {
      let text = ''
      response.on('data', part => (text += part))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - startMs)
        else reject(new Error(`${url}: ${response.statusCode} ${text}`))
      })
    })
      .on('error', reject)
      .end()
  })
}

/** Milliseconds from the start of a server, which prints its address, to the end of its first answer. */
export async function timedStart(
  bench: Bench,
  program: string,
  args: readonly string[] = [],
): Promise<number> {
  const startMs = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  bench.after(() => end(child))
  const url = await new Promise<string>(resolve =>
    child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
  )
  await timedGet(url)
  const tookMs = performance.now() - startMs
  await end(child)
  return tookMs
}
