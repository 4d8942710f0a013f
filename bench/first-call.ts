import { Agent, request } from 'node:http'

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
