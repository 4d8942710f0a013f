import { symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'

// As Fn's kits do: the name that is waited for appears when the socket can be used.
const path = process.env.FN_LISTENER.replace(/^unix:/, '')
createServer((request, response) => {
  request.resume()
  response.end('Hello, World!')
}).listen(join(dirname(path), 'phony.sock'), () => symlinkSync('phony.sock', path))
