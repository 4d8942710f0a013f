import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AtelierError } from '../../src/core/index.ts'
import { ApiFixture, problem } from './fixture.ts'
import type { FunctionCall } from './invoker.ts'

const fixture = await ApiFixture.open()
const { member, reader } = fixture
const url = await fixture.listen()
after(() => fixture[Symbol.asyncDispose]())
await fixture.deploy(member, { name: 'cart' })

const PATH = '/v1/apps/shop/functions/cart/invoke'
const runs = (program: (call: FunctionCall) => Promise<void>) =>
  void fixture.invoker.functions.set('cart', program)

test('status, headers and body of the function come back, with the invocation id', async () => {
  runs(async call => {
    call.head(201, ['content-type', 'text/plain', 'x-one', '1', 'x-many', 'a', 'x-many', 'b'])
    await call.send(Buffer.from('hello'))
  })
  const answer = await fixture.call('GET', PATH, member)
  assert.equal(answer.statusCode, 201)
  assert.equal(answer.body, 'hello')
  assert.equal(answer.headers['content-type'], 'text/plain')
  assert.equal(answer.headers['x-one'], '1')
  assert.deepEqual(answer.headers['x-many'], ['a', 'b'])
  assert.equal(answer.headers['atelier-invocation-id'], fixture.invoker.calls.at(-1)?.id)
})

test('method, path, query, qualifier and body go to the function', async () => {
  let seen: FunctionCall['request'] | undefined
  runs(async call => {
    seen = call.request
    let size = 0
    for await (const piece of call.body) size += piece.length
    call.head(200)
    await call.send(Buffer.from(String(size)))
  })
  const address = `${PATH}/items/a%2Fb?x=1&qualifier=canary&y=%20z`
  const answer = await fixture.call('PUT', address, member, { body: { some: 'thing' } })
  assert.equal(answer.body, String(JSON.stringify({ some: 'thing' }).length))
  assert.equal(seen?.method, 'PUT')
  assert.equal(seen?.path, '/items/a%2Fb?x=1&y=%20z')
  assert.equal(seen?.qualifier, 'canary')
  assert.equal(seen?.trigger, 'invoke')
  await fixture.call('GET', PATH, member)
  assert.equal(seen?.path, '/')
  assert.equal(seen?.body, null)
})

test('an app and a function may have the names of the words around them', async () => {
  await fixture.deploy(member, { app: 'functions', name: 'invoke' })
  let path: string | undefined
  fixture.invoker.functions.set('invoke', async call => {
    path = call.request.path
    call.head(204)
  })
  await fixture.call('GET', '/v1/apps/functions/functions/invoke/invoke', member)
  assert.equal(path, '/')
  await fixture.call('GET', '/v1/apps/functions/functions/invoke/invoke/v1/apps/a', member)
  assert.equal(path, '/v1/apps/a')
})

test("the caller's token, cookies and project do not reach the function", async () => {
  let headers: readonly string[] = []
  runs(async call => {
    headers = call.request.headers
    call.head(204)
  })
  const sent = {
    cookie: 'session=1',
    'atelier-project': 'default',
    connection: 'x-hop',
    'x-hop': '1',
    'x-mine': 'yes',
  }
  const headersSent = { ...sent, 'x-auth-token': 'other', 'x-service-token': 'x' }
  const answer = await fixture.call('GET', PATH, member, { headers: headersSent })
  assert.equal(answer.statusCode, 204)
  const names = headers.filter((_, i) => i % 2 === 0)
  for (const name of ['authorization', ...Object.keys(headersSent).filter(each => each !== 'x-mine')])
    assert.ok(!names.includes(name), name)
  assert.ok(names.includes('x-mine'))
})

test('a caller cannot speak to the function with the platform\u2019s voice', async () => {
  let headers: readonly string[] = []
  runs(async call => {
    headers = call.request.headers
    call.head(204)
  })
  const forged = [
    'Atelier-Deadline',
    'X-Atelier-Params-Id',
    'x_atelier_params_id',
    'X-Forwarded-For',
    'X_Forwarded_Host',
    'Forwarded',
    'X-Real-IP',
    'Proxy',
  ] // prettier-ignore
  const sent = Object.fromEntries(forged.map(name => [name, 'forged']))
  assert.equal((await fixture.call('GET', PATH, member, { headers: sent })).statusCode, 204)
  assert.ok(!headers.includes('forged'), headers.join())
})

test('a path that can be read in two ways is refused, as at the router', async () => {
  let seen: string | undefined
  runs(async call => {
    seen = call.request.path
    call.head(204)
  })
  for (const path of ['//other.example/', '/%00', '/%zz']) {
    assert.equal((await fixture.call('GET', `${PATH}${path}`, member)).statusCode, 400, path)
    assert.equal(seen, undefined)
  }
  await fixture.call('GET', `${PATH}/%61%2f?x=%2e`, member)
  assert.equal(seen, '/a%2F?x=%2e')
})

test("a function cannot set cookies or a page of its own on the API's origin", async () => {
  runs(async call => {
    call.head(200, [
      'content-type',
      'text/html',
      'set-cookie',
      'a=b',
      'content-security-policy',
      'default-src *',
      'x-frame-options',
      'ALLOW',
    ])
    await call.send(Buffer.from('<script>alert(1)</script>'))
  })
  const answer = await fixture.call('GET', PATH, member)
  assert.equal(answer.headers['set-cookie'], undefined)
  assert.equal(answer.headers['content-security-policy'], 'sandbox')
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
})

test('what goes wrong before the answer is a problem with the invocation id', async () => {
  runs(async () => {
    throw new AtelierError('FUNCTION_CRASHED', 'The function ended.')
  })
  const answer = await fixture.call('POST', PATH, member, { body: {} })
  problem(answer, 502, 'FUNCTION_CRASHED')
  assert.equal(answer.headers['atelier-invocation-id'], fixture.invoker.calls.at(-1)?.id)
  runs(async () => {
    throw new AtelierError('TOO_MANY_REQUESTS', 'The queue is full.', { retryAfterS: 3 })
  })
  const refused = await fixture.call('POST', PATH, member, { body: {} })
  problem(refused, 429, 'TOO_MANY_REQUESTS')
  assert.equal(refused.headers['retry-after'], '3')
})

test('readers may not call, and what does not exist is not called', async () => {
  problem(await fixture.call('GET', PATH, reader), 403, 'FORBIDDEN')
  problem(await fixture.call('GET', '/v1/apps/shop/functions/none/invoke', member), 404, 'NOT_FOUND')
})

test('HEAD gets the head alone', async () => {
  runs(async call => {
    call.head(200, ['content-length', '5', 'x-one', '1'])
    if (call.request.method !== 'HEAD') await call.send(Buffer.from('hello'))
  })
  const answer = await fixture.call('HEAD', PATH, member)
  assert.equal(answer.statusCode, 200)
  assert.equal(answer.headers['x-one'], '1')
  assert.equal(answer.body, '')
})

test('a body streams both ways at once', async () => {
  runs(async call => {
    call.head(200)
    for await (const piece of call.body)
      await call.send(Buffer.from(Buffer.from(piece).toString().toUpperCase()))
  })
  const call = request(`${url}${PATH}`, { method: 'POST', headers: member.headers })
  call.write('one')
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.setEncoding('utf8')
  assert.equal((await once(response, 'data'))[0], 'ONE')
  call.write('two')
  assert.equal((await once(response, 'data'))[0], 'TWO')
  call.end()
  response.resume()
  await once(response, 'end')
})

test('a slow caller holds the function back, and gets everything in the end', async () => {
  const TOTAL = 24 * 1024 ** 2
  runs(async call => {
    call.head(200)
    for (let sent = 0; sent < TOTAL; sent += 16_384) await call.send(Buffer.alloc(16_384))
  })
  const call = request(`${url}${PATH}`, { headers: member.headers })
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  await sleep(100)
  const running = fixture.invoker.calls.at(-1)!
  assert.ok(running.outstanding > 0, 'the function waits for the caller')
  let received = 0
  for await (const chunk of response) received += (chunk as Buffer).length
  assert.equal(received, TOTAL)
  assert.ok(running.outstandingMost <= 128 * 1024, `${running.outstandingMost} bytes at most on the way`)
})

test('a slow function holds a large upload back', async () => {
  const gate = Promise.withResolvers<void>()
  runs(async call => {
    await gate.promise
    let size = 0
    for await (const piece of call.body) size += piece.length
    call.head(200)
    await call.send(Buffer.from(String(size)))
  })
  const TOTAL = 24 * 1024 ** 2
  const call = request(`${url}${PATH}`, {
    method: 'POST',
    headers: { ...member.headers, 'content-length': TOTAL },
  })
  let flushed = false
  call.write(Buffer.alloc(TOTAL), () => (flushed = true))
  await sleep(200)
  assert.equal(flushed, false)
  gate.resolve()
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  assert.equal(text, String(TOTAL))
})

test('a caller who leaves cancels the call', async () => {
  const cancelled = Promise.withResolvers<void>()
  runs(async call => {
    call.head(200)
    await call.send(Buffer.from('first'))
    call.signal.addEventListener('abort', () => cancelled.resolve())
    await cancelled.promise
  })
  const call = request(`${url}${PATH}`, { headers: member.headers })
  call.on('error', () => {})
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.on('error', () => {})
  call.destroy()
  await cancelled.promise
})

test('an answer that breaks off in the middle breaks off for the caller too', async () => {
  runs(async call => {
    call.head(200, ['content-type', 'text/plain'])
    await call.send(Buffer.from('half'))
    await sleep(20)
    throw new AtelierError('FUNCTION_CRASHED', 'The function ended.')
  })
  const call = request(`${url}${PATH}`, { headers: member.headers })
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  response.resume()
  const [error] = (await once(response, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
})

test('a function that dies right after its head harms nobody else', async () => {
  runs(async call => {
    call.head(200)
    throw new AtelierError('FUNCTION_CRASHED', 'The function ended.')
  })
  for (const method of ['GET', 'HEAD'] as const)
    for (const headers of [{}, { 'idempotency-key': `dies-${method}` }]) {
      const call = request(`${url}${PATH}`, { method, headers: { ...member.headers, ...headers } })
      const over = new Promise(resolve => {
        call.once('error', resolve)
        call.once('response', (response: IncomingMessage) => {
          response.on('error', resolve).on('end', resolve).resume()
        })
      })
      call.end()
      await over
    }
  assert.equal((await fixture.call('GET', '/v1/whoami', member)).statusCode, 200)
})
