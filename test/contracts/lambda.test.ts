import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { HeaderBlock } from '../../src/contracts/index.ts'
import { EVENT_BODY_BYTES_MAX } from '../../src/contracts/lambda/call.ts'
import { PlayedCall, PlayedRuntime } from './runtime.ts'

const OK = JSON.stringify({ statusCode: 200, headers: { 'X-A': 'b' }, body: 'well' })

test('a runtime asks, is given an HTTP event, and its answer is the answer', async t => {
  const runtime = await openFor(t)
  const polled = runtime.next()
  await runtime.load()
  const call = runtime.call({
    method: 'POST',
    target: '/x?a=1&a=2',
    headers: ['content-type', 'application/json', 'cookie', 'k=v; l=w', 'traceparent', TRACE],
    block: new HeaderBlock(['host', 'example.org', 'user-agent', 'tester']),
    body: Buffer.from('{"n":1}'),
  })
  const { headers, text } = await polled
  assert.equal(headers['lambda-runtime-aws-request-id'], 'c-1')
  assert.equal(headers['lambda-runtime-deadline-ms'], '1700000000000')
  assert.equal(headers['lambda-runtime-invoked-function-arn'], 'arn:atelier:lambda:local:p:function:a.f:3')
  assert.equal(
    headers['lambda-runtime-trace-id'],
    'Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1',
  )
  const event = JSON.parse(text) as Record<string, Record<string, unknown>>
  assert.deepEqual(event['headers'], {
    'content-type': 'application/json',
    traceparent: TRACE,
    host: 'example.org',
    'user-agent': 'tester',
  })
  assert.deepEqual(
    [event['rawPath'], event['rawQueryString'], event['cookies'], event['queryStringParameters']],
    ['/x', 'a=1&a=2', ['k=v', 'l=w'], { a: '1,2' }],
  )
  assert.deepEqual([event['body'], event['isBase64Encoded']], ['{"n":1}', false])
  assert.deepEqual([(await runtime.respond('c-1', OK)).status], [202])
  await call.ended
  assert.deepEqual([call.status, call.text, call.failure], [200, 'well', undefined])
  assert.deepEqual(call.headers, { 'x-a': 'b', 'content-type': 'application/json', 'content-length': '4' })
})

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

test('a body in pieces is one event; what is no text goes as base64', async t => {
  const runtime = await openFor(t)
  const call = runtime.call({ method: 'POST', headers: ['content-type', 'image/png'], body: undefined })
  call.handle.write(Buffer.from([0, 255]))
  call.handle.write(Buffer.from([7]))
  call.handle.end()
  const event = JSON.parse((await runtime.next()).text) as Record<string, unknown>
  assert.deepEqual([event['body'], event['isBase64Encoded']], ['AP8H', true])
  await runtime.respond('c-1', JSON.stringify({ statusCode: 200, body: 'AP8H', isBase64Encoded: true }))
  assert.equal((await call.ended).bytes, 3)
})

test('a body that no event can hold is refused with 413, and the runtime never sees it', async t => {
  const runtime = await openFor(t)
  const call = runtime.call({ body: undefined })
  call.handle.write(Buffer.alloc(EVENT_BODY_BYTES_MAX))
  call.handle.write(Buffer.alloc(1))
  call.handle.end()
  assert.equal((await call.ended).status, 413)
  runtime.call({ id: 'c-2' })
  assert.equal((await runtime.next()).headers['lambda-runtime-aws-request-id'], 'c-2')
})

for (const [result, status, body] of [
  ['"words"', 200, 'words'],
  ['{"a":1}', 200, '{"a":1}'],
  ['[1]', 200, '[1]'],
  ['null', 204, ''],
  ['{"statusCode":"404","body":{"b":2}}', 404, '{"b":2}'],
  ['{"statusCode":204,"body":"dropped"}', 204, ''],
] as const)
  test(`the result ${result} is the answer ${status} ${body}`, async t => {
    const runtime = await openFor(t)
    const call = runtime.call()
    await runtime.next()
    await runtime.respond('c-1', result)
    await call.ended
    assert.deepEqual([call.status, call.text], [status, body])
  })

for (const [what, result] of [
  ['no JSON', '{"statusCode"'],
  ['a status that is none', '{"statusCode":1000}'],
  ['an interim status', '{"statusCode":101}'],
  ['a header with a line break', '{"statusCode":200,"headers":{"a":"b\\r\\nc: d"}}'],
  ['a header name with a space', '{"statusCode":200,"headers":{"a b":"c"}}'],
] as const)
  test(`an answer with ${what} fails the call and passes nothing on`, async t => {
    const runtime = await openFor(t)
    const call = runtime.call()
    await runtime.next()
    assert.equal((await runtime.respond('c-1', result)).status, 202)
    await call.ended
    assert.deepEqual([call.status, call.failure?.kind], [0, 'error'])
    assert.match(call.failure!.message, /^The function sent /)
  })

test('headers that belong to a connection are not passed on', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  const headers = { 'Content-Length': '99', 'Transfer-Encoding': 'chunked', Connection: 'close', ok: 'yes' }
  await runtime.respond('c-1', JSON.stringify({ statusCode: 200, headers, body: 'x' }))
  assert.deepEqual((await call.ended).headers, {
    ok: 'yes',
    'content-type': 'application/json',
    'content-length': '1',
  })
})

test('where bodies are events, body and result pass as they are', async t => {
  const runtime = await openFor(t, { config: { ATELIER_LAMBDA_EVENT: 'body' } })
  const call = runtime.call({ method: 'POST', body: Buffer.from('{"key": 1}') })
  assert.equal((await runtime.next()).text, '{"key": 1}')
  await runtime.respond('c-1', '{"statusCode": 404}')
  await call.ended
  assert.deepEqual([call.status, call.text], [200, '{"statusCode": 404}'])
  runtime.call({ id: 'c-2' })
  assert.equal((await runtime.next()).text, '{}')
})

test('one call may say by its type that its body is the event', async t => {
  const runtime = await openFor(t)
  runtime.call({ headers: ['content-type', 'application/vnd.atelier.event+json'], body: Buffer.from('[1]') })
  assert.equal((await runtime.next()).text, '[1]')
})

test('a streamed answer has its head from the prelude and flows as the caller takes it', async t => {
  const runtime = await openFor(t)
  const call = new PlayedCall(runtime.link, HEAD, false)
  await runtime.next()
  const told = Promise.withResolvers<number>()
  const out = request(runtime.at('POST', 'invocation/c-1/response', STREAMING), answer =>
    told.resolve(answer.statusCode!),
  )
  const prelude = JSON.stringify({ statusCode: 203, headers: { 'x-a': 'b' }, cookies: ['a=1'] })
  out.write(prelude.slice(0, 10))
  out.write(`${prelude.slice(10)}\0\0\0`)
  out.write('\0\0\0\0\0first')
  while (call.text !== 'first') await turn()
  assert.deepEqual([call.status, call.headers['x-a'], call.headers['set-cookie']], [203, 'b', 'a=1'])
  const big = Buffer.alloc(32 * 1024 * 1024)
  out.end(big)
  for (let last = -1; last !== call.bytes; await new Promise(resolve => setTimeout(resolve, 50)))
    last = call.bytes
  assert.ok(call.bytes < big.length / 2, 'nobody takes it, so it waits')
  for (let seen = 0; !call.isOver; await turn()) {
    call.handle.consumed(call.bytes - seen)
    seen = call.bytes
  }
  assert.deepEqual([call.bytes, call.failure, await told.promise], [5 + big.length, undefined, 202])
})

const HEAD = {
  id: 'c-1',
  method: 'GET',
  target: '/',
  headers: [],
  deadline: 1_700_000_000_000,
  body: null,
} as const
const STREAMING = {
  'lambda-runtime-function-response-mode': 'streaming',
  'content-type': 'application/vnd.awslambda.http-integration-response',
  trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
}

test('a stream that ends with an error in its trailers fails the call', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  const out = request(runtime.at('POST', 'invocation/c-1/response', STREAMING))
  out.on('response', answer => answer.resume())
  out.write('{}\0\0\0\0\0\0\0\0begun')
  const error = { errorType: 'Midway', errorMessage: 'no more' }
  out.addTrailers({
    'Lambda-Runtime-Function-Error-Type': 'Midway',
    'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(error)).toString('base64'),
  })
  out.end()
  await call.ended
  assert.deepEqual(
    [call.status, call.failure?.kind, call.failure?.message],
    [200, 'error', 'Midway: no more'],
  )
})

test('a prelude without end, and a stream that breaks, fail the call', async t => {
  const runtime = await openFor(t)
  const endless = runtime.call()
  await runtime.next()
  const out = request(runtime.at('POST', 'invocation/c-1/response', STREAMING))
  out.on('error', () => {})
  out.on('response', answer => answer.resume())
  out.end(Buffer.alloc(100_000, 'x'))
  assert.match((await endless.ended).failure!.message, /bytes before the end of its prelude/)
  const broken = runtime.call({ id: 'c-2' })
  await runtime.next()
  const cut = request(runtime.at('POST', 'invocation/c-2/response', STREAMING))
  cut.on('error', () => {})
  cut.write('{}\0\0\0\0\0\0\0\0begun')
  while (broken.status === 0) await turn()
  cut.destroy()
  assert.deepEqual([(await broken.ended).failure?.kind], ['violation'])
})

test('an error is told with its stack in the log, and the runtime goes on', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  const told = { errorType: 'TypeError', errorMessage: 'no such luck', stackTrace: ['  at line 1'] }
  assert.equal((await runtime.ask('POST', 'invocation/c-1/error', JSON.stringify(told))).status, 202)
  await call.ended
  assert.deepEqual([call.failure?.kind, call.failure?.message], ['error', 'TypeError: no such luck'])
  assert.deepEqual(runtime.logs, [`${call.handle.number}: TypeError: no such luck\n  at line 1\n`])
  const next = runtime.call({ id: 'c-2' })
  await runtime.next()
  await runtime.respond('c-2', OK)
  assert.equal((await next.ended).status, 200)
})

test('a second answer, an answer to nothing and other paths are refused, and harm no call', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  assert.equal((await runtime.respond('c-9', OK)).status, 400)
  assert.equal((await runtime.respond('c-1', OK)).status, 202)
  const again = await runtime.respond('c-1', '"other"')
  assert.deepEqual([again.status, JSON.parse(again.text).errorType], [400, 'InvalidRequestID'])
  assert.equal((await call.ended).text, 'well')
  assert.equal((await runtime.ask('GET', 'restore/next')).status, 404)
  assert.equal((await runtime.ask('POST', 'invocation/next')).status, 404)
})

test('an answer that is larger than an answer may be is refused with 413', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  const refused = await runtime.respond('c-1', 'x'.repeat(7 * 1024 * 1024)).catch(() => ({ status: 413 }))
  assert.equal(refused.status, 413)
  assert.match((await call.ended).failure!.message, /more than \d+ bytes/)
})

test('a runtime that asks again without an answer breaks the contract', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  void runtime.next().catch(() => {})
  assert.equal((await call.ended).failure?.kind, 'violation')
})

test('several polls are several calls at once; what waits goes to the next poll, in order', async t => {
  const runtime = await openFor(t, { concurrency: 2 })
  const polls = [runtime.next(), runtime.next()]
  const calls = ['c-1', 'c-2', 'c-3'].map(id => runtime.call({ id }))
  const ids = (await Promise.all(polls)).map(told => told.headers['lambda-runtime-aws-request-id'])
  assert.deepEqual(new Set(ids), new Set(['c-1', 'c-2']))
  await runtime.respond('c-2', '"two"')
  assert.equal((await runtime.next()).headers['lambda-runtime-aws-request-id'], 'c-3')
  await runtime.respond('c-3', '"three"')
  await runtime.respond('c-1', '"one"')
  await Promise.all(calls.map(call => call.ended))
  assert.deepEqual(
    calls.map(call => call.text),
    ['one', 'two', 'three'],
  )
  assert.equal(runtime.env['AWS_LAMBDA_MAX_CONCURRENCY'], '2')
})

test('a cancelled call ends when the runtime is done with it, or at once when it never saw it', async t => {
  const runtime = await openFor(t)
  const seen = runtime.call()
  const unseen = runtime.call({ id: 'c-2' })
  await runtime.next()
  seen.handle.cancel('client')
  unseen.handle.cancel('client')
  await unseen.ended
  assert.equal(seen.isOver, false)
  assert.equal((await runtime.respond('c-1', OK)).status, 202)
  await seen.ended
  assert.deepEqual([seen.status, seen.failure?.message], [0, 'The call was cancelled.'])
})

test('a poll that goes away takes no call with it', async t => {
  const runtime = await openFor(t)
  const gone = request(runtime.at('GET', 'invocation/next'))
  gone.on('error', () => {})
  gone.end()
  await runtime.load()
  gone.destroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  const call = runtime.call()
  await runtime.next()
  await runtime.respond('c-1', OK)
  assert.equal((await call.ended).status, 200)
})

test('a runtime that never asks, that fails to start, and that ends are each told', async t => {
  const silent = await openFor(t, { startMs: 30 })
  await assert.rejects(silent.load(), /"a\/f" did not ask for its first call within 30 ms/)
  const failing = await openFor(t)
  const told = { errorType: 'Init', errorMessage: 'no module', stackTrace: [] }
  void failing.ask('POST', 'init/error', JSON.stringify(told))
  await assert.rejects(failing.load(), /could not be initialised; the function's log tells why/)
  assert.deepEqual(failing.logs, ['0: Init: no module\n'])
  const ending = await openFor(t)
  ending.exit()
  await assert.rejects(ending.load(), /ended before it asked/)
})

test('a process that ends fails the calls that it has', async t => {
  const runtime = await openFor(t)
  const call = runtime.call()
  await runtime.next()
  runtime.exit()
  assert.equal((await call.ended).failure?.kind, 'closed')
  assert.deepEqual(runtime.closed, ['closed: The process ended.'])
  assert.equal((await runtime.call({ id: 'c-2' }).ended).failure?.kind, 'closed')
  await assert.rejects(runtime.next())
})

test('a runtime is told who it is; names that it relies on are not for settings to change', async t => {
  const config = { AWS_LAMBDA_FUNCTION_NAME: 'other', MINE: 'yes' }
  const { env } = await openFor(t, { config })
  assert.deepEqual(
    [env['AWS_LAMBDA_FUNCTION_NAME'], env['MINE'], env['_HANDLER'], env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']],
    ['f', 'yes', 'index.main', '128'],
  )
  const handlers = ['app:handler', 'src/app.handler', 'bootstrap.mjs#index.handler', 'bootstrap']
  const named = await Promise.all(handlers.map(async entry => (await openFor(t, { entry })).env['_HANDLER']))
  assert.deepEqual(named, ['app.handler', 'src/app.handler', 'index.handler', 'bootstrap'])
})

async function openFor(
  t: { after(work: () => void): void },
  options?: Parameters<typeof PlayedRuntime.open>[0],
): Promise<PlayedRuntime> {
  const runtime = await PlayedRuntime.open(options)
  t.after(() => runtime.link.destroy())
  return runtime
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
