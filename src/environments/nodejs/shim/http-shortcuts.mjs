// What handlers in Express's style expect of `req` and `res` beyond Node's own.

// Not by `import`, which reads every export of it, and so loads the client behind `fetch`: 30 ms and 9 MB.
export const nodeHttp = process.getBuiltinModule('node:http')

export function addRequestShortcuts(req) {
  const url = new URL(req.url, 'http://localhost')
  Object.assign(req, {
    originalUrl: req.url,
    path: url.pathname,
    query: queryOf(url.searchParams),
    params: {},
    protocol: req.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http',
    hostname: (req.headers.host ?? '').replace(/:\d+$/, ''),
    ip: req.socket.remoteAddress,
    get: name => req.headers[String(name).toLowerCase()],
    header: name => req.headers[String(name).toLowerCase()],
  })
}

function queryOf(pairs) {
  const query = {}
  for (const [name, value] of pairs) {
    if (Object.hasOwn(query, name)) query[name] = [query[name], value].flat()
    else query[name] = value
  }
  return query
}

export function addResponseShortcuts(res) {
  Object.assign(res, {
    status(code) {
      res.statusCode = code
      return res
    },
    set(name, value) {
      for (const [key, one] of typeof name === 'string' ? [[name, value]] : Object.entries(name))
        res.setHeader(key, one)
      return res
    },
    get: name => res.getHeader(name),
    type(value) {
      return res.set('content-type', value)
    },
    send(body) {
      if (body === undefined || body === null) return res.end()
      const bytes = ArrayBuffer.isView(body)
      if (typeof body !== 'string' && !bytes) return res.json(body)
      if (!res.hasHeader('content-type')) {
        res.setHeader('content-type', bytes ? 'application/octet-stream' : 'text/html; charset=utf-8')
      }
      return res.end(body)
    },
    json(value) {
      if (!res.hasHeader('content-type')) res.setHeader('content-type', 'application/json; charset=utf-8')
      return res.end(JSON.stringify(value))
    },
    sendStatus(code) {
      return res.status(code).send(nodeHttp.STATUS_CODES[code] ?? String(code))
    },
    redirect(...rest) {
      const [code, url] = rest.length === 1 ? [302, rest[0]] : rest
      return res.status(code).set('location', url).end()
    },
  })
  res.header = res.set
}
