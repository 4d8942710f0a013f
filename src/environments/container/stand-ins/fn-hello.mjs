// Stands in for fnproject/hello: greets the world, or whom a JSON object names, over Fn's http-stream.
import { symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, dirname, join } from 'node:path'

const link = process.env.FN_LISTENER.replace(/^unix:/, '')
const socket = join(dirname(link), 'listening.sock')

const server = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/call') return void response.writeHead(400).end()
  let text = ''
  for await (const piece of request.setEncoding('utf8')) text += piece
  let name
  try {
    name = JSON.parse(text).name
  } catch {
    // No JSON, or nothing at all.
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify({ message: `Hello ${name || 'World'}` })}\n`)
})
// The link comes last: whoever sees it may call.
server.listen(socket, () => symlinkSync(basename(socket), link))
