import { createServer } from 'node:http'

const answer = JSON.stringify({ output: 'Hello, World!', duration: 0, logs: '', success: true })
createServer((request, response) => {
  request.resume().on('end', () => response.end(request.url === '/ping' ? 'pong' : answer))
}).listen(9090)
