/** The plainest proxy one writes in Node: `http.request` with a keep-alive agent and two pipes. */
import { Agent, createServer, request as forward } from 'node:http'
import { announce } from './announce.ts'

const target = new URL(process.argv[2]!)
const agent = new Agent({ keepAlive: true })
const server = createServer((request, response) => {
  const { method, url, headers } = request
  const upstream = forward(
    { agent, host: target.hostname, port: target.port, method: method!, path: url!, headers },
    answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    },
  )
  upstream.on('error', () => response.writableEnded || response.writeHead(502).end())
  request.pipe(upstream)
})
server.listen(0, '127.0.0.1', () => announce(server))
