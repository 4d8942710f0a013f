// As in Fission's Node environment: `async context => ({ status, body, headers })`, or with `(context, callback)`.

import { Custom, headerLines } from './answer.mjs'
import { parseBody } from './body.mjs'
import { LightHeaders } from './headers.mjs'

export function fission(target) {
  return async (call, context) => {
    const seen = { request: await requestOf(call), atelier: context }
    const result = target.length < 2 ? await target(seen) : await withCallback(target, seen)
    return new Custom(answer => sendResult(answer, result))
  }
}

function withCallback(target, seen) {
  return new Promise((resolve, reject) => {
    const callback = (status, body, headers) => resolve({ status, body, headers })
    Promise.resolve(target(seen, callback)).then(result => result !== undefined && resolve(result), reject)
  })
}

async function requestOf(call) {
  const { text, from } = call.headerLines
  const headers = LightHeaders.parse(text, from)
  const url = new URL(call.target, 'http://localhost')
  const rawBody = await call.readAll()
  return {
    method: call.method,
    url: call.target,
    originalUrl: call.target,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(headers),
    get: name => headers.get(name) ?? undefined,
    body: parseBody(headers.get('content-type'), rawBody),
    rawBody,
  }
}

function sendResult(answer, result) {
  const { status = 200, body, headers: given } = result ?? {}
  const headers = new LightHeaders(given)
  if (body === undefined || body === null) return answer.sendParts(Number(status), headerLines(headers), null)
  const plain = typeof body === 'string' || ArrayBuffer.isView(body)
  if (!headers.has('content-type')) {
    headers.set('content-type', plain ? 'text/plain;charset=UTF-8' : 'application/json')
  }
  return answer.sendParts(Number(status), headerLines(headers), plain ? body : JSON.stringify(body))
}
