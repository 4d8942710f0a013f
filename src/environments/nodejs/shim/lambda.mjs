// As in AWS Lambda behind an HTTP API (payload format 2.0): `handler(event, context)`.

import { Custom, headerLines } from './answer.mjs'
import { LightHeaders } from './headers.mjs'

const TEXT_TYPE = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml))\b)/i

export function lambda(target) {
  return async (call, context) => {
    const event = await eventOf(call)
    const result = await invoke(target, event, contextOf(call, context))
    return new Custom(answer => sendResult(answer, result))
  }
}

/** The handler's promise, or what it gives to its callback, as Node 18 and older had it. */
function invoke(target, event, context) {
  if (target.length < 3) return target(event, context)
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error ? reject(asError(error)) : resolve(result))
    const returned = target(event, context, callback)
    if (typeof returned?.then === 'function') returned.then(resolve, reject)
  })
}

function asError(value) {
  return value instanceof Error ? value : new Error(String(value))
}

async function eventOf(call) {
  const { text, from } = call.headerLines
  const headers = LightHeaders.parse(text, from)
  const { target, method } = call
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const query = question === -1 ? '' : target.slice(question + 1)
  const body = await call.readAll()
  const isText = TEXT_TYPE.test(headers.get('content-type') ?? '')
  const cookie = headers.get('cookie')
  headers.delete('cookie')
  const now = new Date()
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    ...(cookie === null ? {} : { cookies: cookie.split(/;\s*/) }),
    headers: Object.fromEntries(headers),
    ...(query === '' ? {} : { queryStringParameters: joined(new URLSearchParams(query)) }),
    requestContext: {
      accountId: '',
      apiId: '',
      domainName: headers.get('host') ?? '',
      http: {
        method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: headers.get('x-forwarded-for')?.split(',')[0].trim() ?? '',
        userAgent: headers.get('user-agent') ?? '',
      },
      requestId: call.id,
      routeKey: '$default',
      stage: '$default',
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length === 0 ? {} : { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  }
}

function joined(pairs) {
  const result = {}
  for (const [name, value] of pairs)
    result[name] = Object.hasOwn(result, name) ? `${result[name]},${value}` : value
  return result
}

function contextOf(call, context) {
  const { name, version } = context.function
  return {
    awsRequestId: call.id,
    functionName: name,
    functionVersion: String(version),
    invokedFunctionArn: '',
    memoryLimitInMB: String(context.memoryMiB),
    logGroupName: '',
    logStreamName: context.instance,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => context.remainingMs(),
    signal: call.signal,
    atelier: context,
  }
}

function sendResult(answer, result) {
  if (typeof result !== 'object' || result === null || result.statusCode === undefined) {
    // Without a status the result is the body.
    if (result === undefined || result === null) return answer.sendParts(204, '', null)
    const text = typeof result === 'string' ? result : JSON.stringify(result)
    return answer.sendParts(200, '\ncontent-type: application/json', text)
  }
  const headers = new LightHeaders(result.headers)
  for (const [name, values] of Object.entries(result.multiValueHeaders ?? {})) {
    headers.delete(name)
    for (const value of values) headers.append(name, value)
  }
  for (const cookie of result.cookies ?? []) headers.append('set-cookie', cookie)
  if (!headers.has('content-type') && result.body) headers.set('content-type', 'application/json')
  return answer.sendParts(Number(result.statusCode), headerLines(headers), bodyOf(result))
}

function bodyOf({ body, isBase64Encoded }) {
  if (body === undefined || body === null) return null
  if (isBase64Encoded) return Buffer.from(String(body), 'base64')
  return typeof body === 'string' || ArrayBuffer.isView(body) ? body : JSON.stringify(body)
}
