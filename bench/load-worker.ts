/** A small load generator for machines without wrk: keeps N connections busy with one request each, and counts. */
import { connect } from 'node:net'
import type { Load, LoadResult } from './load.ts'
import { percentile } from './statistics.ts'

const { url, connections, seconds, body, headers = {} } = JSON.parse(process.argv[2]!) as Load
const { hostname, port, pathname, search, host } = new URL(url)
const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
const head = `${body === undefined ? 'GET' : 'POST'} ${pathname}${search} HTTP/1.1\r\n${fields.join('')}`
const request =
  body === undefined
    ? `${head}\r\n`
    : `${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const latenciesUs: number[] = []
let errors = 0
const endMs = performance.now() + seconds * 1000

function open(): Promise<void> {
  return new Promise(resolve => {
    const socket = connect({ port: Number(port), host: hostname, noDelay: true })
    let buffered = ''
    let sentMs = 0
    const send = () => {
      sentMs = performance.now()
      if (sentMs >= endMs) socket.destroy()
      else socket.write(request)
    }
    socket.setEncoding('latin1')
    socket.setTimeout(10_000, () => socket.destroy(new Error('time-out')))
    socket.on('connect', send)
    socket.on('data', (text: string) => {
      buffered += text
      const headEnd = buffered.indexOf('\r\n\r\n')
      const length = headEnd < 0 ? null : /content-length: *(\d+)/i.exec(buffered)
      if (!length || buffered.length < headEnd + 4 + Number(length[1])) return
      latenciesUs.push((performance.now() - sentMs) * 1000)
      if (!buffered.startsWith('HTTP/1.1 2')) errors++
      buffered = ''
      send()
    })
    socket.on('error', () => errors++)
    socket.on('close', () => resolve())
  })
}

const startMs = performance.now()
await Promise.all(Array.from({ length: connections }, open))
const result: LoadResult = {
  perSecond: latenciesUs.length / ((performance.now() - startMs) / 1000),
  p50Us: percentile(latenciesUs, 0.5),
  p99Us: percentile(latenciesUs, 0.99),
  errors,
}
console.log(JSON.stringify(result))
