import { createServer } from 'node:http'

createServer((request, response) => {
  if (request.url.endsWith('/specialize')) request.resume().on('end', () => response.writeHead(202).end())
  else response.end('Hello, World!')
}).listen(process.env.PORT)
