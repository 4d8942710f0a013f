import { createServer } from 'node:http'

createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 13 })
    response.end('Hello, World!')
    return
  }
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    const order = JSON.parse(Buffer.concat(parts).toString())
    const body = JSON.stringify({ items: order.items.length })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
}).listen(process.env.PORT)
