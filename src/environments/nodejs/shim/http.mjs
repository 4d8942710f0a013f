// As in functions-framework and Express: `(req, res) => { res.send('…') }`. Both objects are Node's own, so an Express
// application is a handler too; the request reads from the call, and the answer is written to it.
import { Socket } from 'node:net'
import { Custom, checkStatus } from './answer.mjs'
import { parseBody } from './body.mjs'
import { LightHeaders } from './headers.mjs'
import { addRequestShortcuts, addResponseShortcuts, nodeHttp } from './http-shortcuts.mjs'

const { IncomingMessage, ServerResponse } = nodeHttp
const HIGH_WATER_BYTES = 64 * 1024

export function http(target) {
  // An application of a framework (Express, Connect) reads the body by its own parsers.
  const framework = typeof target.handle === 'function'
  return async (call, context) => {
    const req = requestOf(call, context)
    const outgoing = responseOf(req, call)
    if (framework) feed(req, call)
    else {
      await readWhole(req, call)
      addRequestShortcuts(req)
      addResponseShortcuts(outgoing.res)
    }
    const returned = Promise.resolve(target(req, outgoing.res)).then(() => outgoing.done)
    return new Custom(await Promise.race([outgoing.done, returned]))
  }
}

async function readWhole(req, call) {
  req.rawBody = await call.readAll()
  req.body = parseBody(req.headers['content-type'], req.rawBody)
  if (req.rawBody.length > 0) req.push(req.rawBody)
  req.push(null)
  req.complete = true
}

function requestOf(call, context) {
  const socket = new Socket({ handle: undefined })
  socket.encrypted = false
  const req = new IncomingMessage(socket)
  const { text, from } = call.headerLines
  const headers = LightHeaders.parse(text, from)
  req.method = call.method
  req.url = call.target
  req.httpVersion = '1.1'
  req.httpVersionMajor = 1
  req.httpVersionMinor = 1
  req.headers = Object.fromEntries(headers)
  req.rawHeaders = [...headers].flat()
  req.atelier = context
  Object.defineProperty(socket, 'remoteAddress', {
    value: headers.get('x-forwarded-for')?.split(',')[0].trim() ?? '127.0.0.1',
  })
  return req
}

/** The body as the application reads it. */
function feed(req, call) {
  let reading = false
  // oxlint-disable-next-line no-underscore-dangle -- Node's name
  req._read = () => {
    // Marks it as being read, and finds no socket to read from.
    // oxlint-disable-next-line no-underscore-dangle -- Node's name
    IncomingMessage.prototype._read.call(req)
    if (reading) return
    reading = true
    call.readPart().then(
      part => {
        reading = false
        if (part === undefined) {
          req.complete = true
          req.push(null)
        } else req.push(part)
      },
      error => req.destroy(error),
    )
  }
}

/** A ServerResponse that writes to the call; `done` resolves with what sends the rest of the answer. */
function responseOf(req, call) {
  const res = new ServerResponse(req)
  const { promise: done, resolve, reject } = Promise.withResolvers()
  done.catch(() => {}) // the handler's own failure may come first
  let queue = Promise.resolve()
  let queuedBytes = 0
  let begun = false

  const takeHead = () => {
    begun = true
    let lines = ''
    for (const [name, value] of Object.entries(res.getHeaders())) {
      for (const one of Array.isArray(value) ? value : [value]) lines += `\n${name}: ${one}`
    }
    // oxlint-disable-next-line no-underscore-dangle -- Node's name: `headersSent` looks at it
    res._header = 'sent'
    return lines
  }
  const bytesOf = (chunk, encoding) =>
    typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk
  const finish = send => {
    resolve(send)
    res.emit('finish')
    res.emit('close')
  }

  // Own properties, so that a framework that changes the prototype keeps them.
  res.writeHead = (status, ...rest) => {
    if (begun) throw new Error('The head of this answer has been sent already.')
    res.statusCode = status
    if (typeof rest[0] === 'string') res.statusMessage = rest.shift()
    const headers = rest[0]
    if (Array.isArray(headers)) {
      for (let i = 0; i + 1 < headers.length; i += 2) res.appendHeader(headers[i], headers[i + 1])
    } else for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value)
    return res
  }
  res.flushHeaders = () => {
    if (!begun) call.answerHead(checkStatus(res.statusCode) + takeHead())
  }
  res.write = (chunk, encoding, callback) => {
    res.flushHeaders()
    const bytes = bytesOf(chunk, encoding)
    const written = typeof encoding === 'function' ? encoding : callback
    queuedBytes += bytes.length
    queue = queue.then(async () => {
      await call.write(bytes)
      queuedBytes -= bytes.length
      written?.()
      if (queuedBytes < HIGH_WATER_BYTES) res.emit('drain')
    })
    queue.catch(reject)
    return queuedBytes < HIGH_WATER_BYTES
  }
  res.end = (chunk, encoding, callback) => {
    if (res.finished) return res
    res.finished = true
    const ended = [chunk, encoding, callback].find(each => typeof each === 'function')
    if (ended !== undefined) res.once('finish', ended)
    const bytes =
      chunk === undefined || chunk === null || chunk === ended ? undefined : bytesOf(chunk, encoding)
    if (!begun && (bytes?.length ?? 0) <= HIGH_WATER_BYTES) {
      const status = res.statusCode
      const lines = takeHead()
      finish(answer => answer.sendParts(status, lines, bytes ?? null))
    } else {
      if (bytes !== undefined) res.write(bytes)
      queue.then(
        () => finish(answer => answer.end()),
        () => res.emit('close'),
      )
    }
    return res
  }
  return { res, done }
}
