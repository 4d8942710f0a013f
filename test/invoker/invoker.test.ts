import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestInvoker } from '../support/calls.ts'
import { aFunction, aVersion } from '../support/fleet.ts'
import type { ScriptedCall } from '../support/scripted-contract.ts'

/** An invoker whose code holds every call until the test lets it go on. */
function holding(options: ConstructorParameters<typeof TestInvoker>[0] = {}) {
  const platform = new TestInvoker(options)
  const calls: ScriptedCall[] = []
  platform.contract.onCall = call => calls.push(call)
  return { platform, calls }
}

test('a call is answered and leaves a record', async () => {
  const platform = new TestInvoker()
  const target = aFunction([aVersion({ number: 1 }), aVersion({ number: 2 })])
  platform.contract.onCall = call => call.answer('hello', 201, ['content-type', 'text/plain'])
  const caller = await platform.called(target, { method: 'POST', body: Buffer.from('abc') })
  assert.deepEqual(caller.heard, ['head', 'data', 'end'])
  assert.equal(caller.status, 201)
  assert.equal(caller.body, 'hello')
  assert.equal(caller.handle.version, 2)
  const [record] = platform.records
  assert.equal(record!.id, caller.handle.id)
  assert.partialDeepStrictEqual(record, {
    status: 'ok',
    httpStatus: 201,
    version: 2,
    cold: true,
    bytesIn: 3,
    bytesOut: 5,
    memoryMiB: 128,
    memoryPeakBytes: 32 * 1024 * 1024,
    trigger: 'test',
  })
  assert.equal(platform.invoker.inHand, 0)
})

test('the sink is not called before invoke has returned, not even for a refusal', async () => {
  const platform = new TestInvoker()
  const target = aFunction([aVersion()])
  for (const qualifier of [undefined, '7']) {
    const caller = platform.call(target, { qualifier })
    assert.deepEqual(caller.heard, [])
    await platform.settle()
    assert.equal(caller.ends, 1)
  }
})

test('versions and aliases that do not exist are told with those that do', async () => {
  const platform = new TestInvoker()
  const target = aFunction([aVersion({ number: 1 }), aVersion({ number: 2 })], {
    beta: [{ version: 1, weight: 100 }],
  })
  const seven = await platform.called(target, { qualifier: '7' })
  assert.equal(seven.error!.message, 'Function "app/f" has no version 7; versions kept are 1, 2.')
  const gamma = await platform.called(target, { qualifier: 'gamma' })
  assert.equal(gamma.error!.message, 'Function "app/f" has no alias "gamma"; its aliases are: live, beta.')
  assert.equal((await platform.called(target, { qualifier: '1' })).handle.version, 1)
  assert.equal((await platform.called(target, { qualifier: 'beta' })).handle.version, 1)
  const undeployed = { ...target, aliases: new Map() }
  assert.match((await platform.called(undeployed)).error!.message, /not been deployed/)
})

test('a weighted alias splits the calls by its weights', async () => {
  const points = [0, 0.24, 0.25, 0.99]
  const platform = new TestInvoker({ random: () => points.shift()! })
  const target = aFunction([aVersion({ number: 1 }), aVersion({ number: 2 })], {
    live: [
      { version: 1, weight: 25 },
      { version: 2, weight: 75 },
    ],
  })
  const versions: unknown[] = []
  for (let i = 0; i < 4; i++) versions.push((await platform.called(target)).handle.version)
  assert.deepEqual(versions, [1, 1, 2, 2])
})

test('a project has no more calls in hand than it may, and a disabled one has none', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion()])
  const project = (more: object) =>
    platform.table.publish([
      { kind: 'project', id: 'p', value: { id: 'p', name: 'p', enabled: true, ...more } },
    ])
  project({ concurrencyMax: 1 })
  const first = await platform.called(target)
  const second = await platform.called(target)
  assert.equal(second.error!.code, 'TOO_MANY_REQUESTS')
  assert.equal(second.error!.retryAfterS, 1)
  calls[0]!.answer()
  assert.equal(first.status, 200)
  const third = await platform.called(target)
  calls[1]!.answer()
  assert.equal(third.status, 200)
  project({ enabled: false })
  assert.equal((await platform.called(target)).error!.code, 'FORBIDDEN')
  assert.deepEqual(
    platform.records.map(record => record.status),
    ['refused', 'ok', 'ok', 'refused'],
  )
})

test('a project begins no more calls within a minute than it may, and another one as it likes', async () => {
  const { platform, calls } = holding()
  platform.table.publish([
    { kind: 'project', id: 'p', value: { id: 'p', name: 'p', enabled: true, callsPerMinuteMax: 2 } },
  ])
  const target = aFunction([aVersion()])
  for (let i = 0; i < 2; i++) {
    const caller = await platform.called(target)
    calls[i]!.answer()
    assert.equal(caller.status, 200)
  }
  const refused = await platform.called(target)
  assert.equal(refused.error!.code, 'TOO_MANY_REQUESTS')
  assert.match(refused.error!.message, /2 calls within a minute/)
  assert.ok(refused.error!.retryAfterS! >= 59 && refused.error!.retryAfterS! <= 60)
  const other = await platform.called({ ...aFunction([aVersion()]), id: 'other', projectId: 'q' })
  assert.equal(other.error, undefined)
  await platform.pass(refused.error!.retryAfterS! * 1_000, 1_000)
  const later = await platform.called(target)
  assert.equal(later.error, undefined)
})

test('a call past its timeout is answered 504, and its instance is killed', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion({ limits: { timeoutMs: 3_000 } })])
  const caller = await platform.called(target)
  await platform.pass(2_999, 100)
  assert.equal(caller.ends, 0)
  await platform.pass(50, 10)
  assert.equal(caller.error!.code, 'FUNCTION_TIMEOUT')
  assert.equal(calls[0]!.cancelled, 'deadline')
  assert.equal(platform.backend.alive.length, 0)
  const [record] = platform.records
  assert.partialDeepStrictEqual(record, { status: 'timeout', httpStatus: 504, fault: 'function' })
  assert.ok(record!.billedMs >= 3_000)
})

test('the deadline runs from the start of the code, and waiting does not shorten it', async () => {
  const { platform, calls } = holding({ knobs: { startDelayMs: 2_000 } })
  const target = aFunction([aVersion({ limits: { timeoutMs: 3_000 } })])
  const began = platform.clock.now()
  const caller = await platform.called(target)
  await platform.pass(2_000)
  assert.equal(calls[0]!.head.deadline, began + 5_000)
  await platform.pass(2_900, 100)
  calls[0]!.answer()
  assert.equal(caller.status, 200)
  assert.partialDeepStrictEqual(platform.records[0], {
    queuedMs: 0,
    startingMs: 2_000,
    runningMs: 2_900,
    billedMs: 2_900,
  })
})

test('a caller that leaves cancels the call, whose slot is held until the code has ended', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion({ scaling: { instancesMax: 1 } })])
  const leaver = await platform.called(target)
  leaver.handle.cancel()
  assert.equal(calls[0]!.cancelled, 'client')
  const next = await platform.called(target)
  assert.equal(calls.length, 1)
  calls[0]!.fail('error', '')
  await platform.settle()
  assert.deepEqual(leaver.heard, [])
  assert.partialDeepStrictEqual(platform.records[0], { status: 'cancelled', httpStatus: 0, fault: 'caller' })
  calls[1]!.answer()
  assert.equal(next.status, 200)
  assert.equal(platform.backend.started.length, 1)
})

test('code that ignores a cancelled call is killed after the grace', async () => {
  const { platform } = holding({ cancelGraceMs: 1_000 })
  const leaver = await platform.called(aFunction([aVersion()]))
  leaver.handle.cancel()
  await platform.pass(900, 100)
  assert.equal(platform.backend.alive.length, 1)
  await platform.pass(200, 20)
  assert.equal(platform.backend.alive.length, 0)
  assert.equal(platform.records[0]!.status, 'cancelled')
  assert.equal(platform.invoker.inHand, 0)
})

test('a caller that leaves while its call waits frees its place at once', async () => {
  const { platform } = holding({ knobs: { startDelayMs: 1_000 } })
  const caller = platform.call(aFunction([aVersion()]))
  await platform.settle()
  assert.equal(platform.pool.stats().waiting, 1)
  caller.handle.cancel()
  await platform.settle()
  assert.equal(platform.pool.stats().waiting, 0)
  await platform.pass(1_000)
  assert.equal(platform.pool.stats().inFlight, 0)
  assert.deepEqual(caller.heard, [])
  assert.equal(platform.records[0]!.status, 'cancelled')
})

test('a crash in the middle of a call is told with its exit', async () => {
  const { platform } = holding()
  const target = aFunction([aVersion()])
  const caller = await platform.called(target)
  platform.backend.alive[0]!.end({ code: 137, signal: 'SIGSEGV' })
  await platform.settle()
  assert.equal(caller.error!.code, 'FUNCTION_CRASHED')
  assert.match(caller.error!.message, /signal SIGSEGV/)
  const hungry = await platform.called(target)
  platform.backend.alive[0]!.end({ reason: 'memory' })
  await platform.settle()
  assert.equal(hungry.error!.code, 'FUNCTION_OUT_OF_MEMORY')
  assert.equal(platform.pool.stats().inFlight, 0)
})

test('a call on an instance that an operator ends fails as unavailable, not as the fault of the function', async () => {
  const { platform } = holding()
  const caller = await platform.called(aFunction([aVersion()]))
  await platform.pool.kill(platform.pool.instances()[0]!.id, 'an operator ended it')
  await platform.settle()
  assert.equal(caller.error!.code, 'UNAVAILABLE')
  assert.match(caller.error!.message, /an operator ended it/)
})

test("the code's own words go into the record and not to the caller", async () => {
  const { platform, calls } = holding()
  const caller = await platform.called(aFunction([aVersion()]))
  calls[0]!.fail('error', 'password is hunter2')
  await platform.settle()
  assert.equal(caller.error!.code, 'FUNCTION_FAILED')
  assert.doesNotMatch(caller.error!.message, /hunter2/)
  assert.equal(platform.records[0]!.errorMessage, 'password is hunter2')
  assert.equal(platform.backend.alive.length, 1)
})

test('an instance that breaks the contract is ended, and the call fails as a bad answer', async () => {
  const { platform, calls } = holding()
  const caller = await platform.called(aFunction([aVersion()]))
  calls[0]!.link.close('violation')
  await platform.settle()
  assert.equal(caller.error!.code, 'FUNCTION_BAD_ANSWER')
  assert.equal(platform.backend.alive.length, 0)
})

for (const [what, status, headers] of [
  ['a status below 200', 100, []],
  ['a status that is no number', Number.NaN, []],
  ['a switch of protocols that nobody asked for', 101, []],
  ['a line break in a value', 200, ['x', 'a\r\nset-cookie: b']],
  ['a name with a space', 200, ['a b', 'c']],
  ['a name without a value', 200, ['a']],
] as const)
  test(`an answer with ${what} is refused as a bad answer`, async () => {
    const { platform, calls } = holding()
    const caller = await platform.called(aFunction([aVersion()]))
    calls[0]!.sink.onHead(status, headers)
    assert.equal(caller.error!.code, 'FUNCTION_BAD_ANSWER')
    assert.equal(calls[0]!.cancelled, 'client')
    calls[0]!.sink.onData(Buffer.from('more'))
    calls[0]!.answer()
    assert.deepEqual(caller.heard, ['fail'])
    assert.equal(platform.invoker.inHand, 0)
  })

test('a body that comes while the call waits is held back, and goes on with the call', async () => {
  const { platform, calls } = holding({ knobs: { startDelayMs: 1_000 } })
  const target = aFunction([aVersion()])
  const small = platform.call(target, { body: undefined })
  assert.equal(small.handle.write(Buffer.from('ab')), true)
  assert.equal(small.handle.write(Buffer.from('cd')), true)
  small.handle.end()
  const large = platform.call(target, { body: undefined })
  assert.equal(large.handle.write(Buffer.alloc(65_536)), false)
  await platform.settle()
  await platform.pass(1_000)
  assert.equal(Buffer.from(calls[0]!.head.body!).toString(), 'abcd')
  assert.equal(calls[1]!.head.body, undefined)
  assert.equal(calls[1]!.pieces[0]!.length, 65_536)
  assert.equal(large.drains, 1)
  large.handle.end()
  assert.equal(calls[1]!.isBodyComplete, true)
  for (const call of calls) call.answer()
  assert.deepEqual(
    platform.records.map(record => record.bytesIn),
    [4, 65_536],
  )
})

test('a caller that does not wait while its call waits is refused', async () => {
  const { platform } = holding({ knobs: { startDelayMs: 1_000 } })
  const caller = platform.call(aFunction([aVersion()]), { body: undefined })
  await platform.settle()
  assert.equal(platform.pool.stats().waiting, 1)
  for (let i = 0; i < 17; i++) caller.handle.write(Buffer.alloc(65_536))
  assert.equal(caller.error!.code, 'BODY_TOO_LARGE')
  assert.equal(caller.ends, 1)
  assert.equal(platform.pool.stats().waiting, 0)
})

test('the function sees the trace of the caller with a span of its own', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion({ limits: { concurrency: 10 } })])
  const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  await platform.called(target, { traceparent: given, headers: ['traceparent', given, 'a', 'b'] })
  const { headers } = calls[0]!.head
  assert.deepEqual(headers.slice(0, 3), ['a', 'b', 'traceparent'])
  assert.match(headers[3]!, /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
  assert.notEqual(headers[3], given)
  for (const bad of ['nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `${given}-more`]) {
    await platform.called(target, { traceparent: bad })
    assert.match(calls.at(-1)!.head.headers[3]!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  }
})

test('a WebSocket outlives the timeout and ends when it is silent for too long', async () => {
  const { platform, calls } = holding({ webSocketIdleMs: 60_000 })
  const target = aFunction([aVersion({ limits: { timeoutMs: 1_000 } })])
  const caller = await platform.called(target, { webSocket: true, body: undefined })
  calls[0]!.sink.onHead(101, [])
  await platform.pass(50_000, 10_000)
  assert.equal(caller.handle.writeMessage(Buffer.from('hi'), true), true)
  await platform.pass(50_000, 10_000)
  calls[0]!.sink.onMessage!(Buffer.from('there'), true)
  assert.equal(caller.ends, 0)
  await platform.pass(61_000, 500)
  assert.deepEqual(caller.heard, ['head', 'message there', 'fail'])
  calls[0]!.fail('error')
  assert.partialDeepStrictEqual(platform.records[0], { bytesIn: 2, bytesOut: 5, httpStatus: 101 })
})

test('an instance that ended between lease and sending costs the caller nothing', async () => {
  const platform = new TestInvoker()
  let ended = 0
  const { tryAcquire } = platform.pool
  platform.pool.tryAcquire = version => {
    const lease = tryAcquire.call(platform.pool, version)
    if (lease && ended++ === 0) platform.contract.links[0]!.close()
    return lease
  }
  const target = aFunction([aVersion()])
  await platform.called(target)
  const caller = await platform.called(target)
  assert.equal(caller.status, 200)
  assert.equal(platform.backend.started.length, 2)
})

test('a flood of refusals leaves a bounded number of records', async () => {
  const platform = new TestInvoker()
  const target = aFunction([aVersion()])
  for (let i = 0; i < 200; i++) platform.call(target, { qualifier: '9' })
  await platform.settle()
  assert.equal(platform.records.length, 50)
})

test('output of the code carries the id of the call, also a little after its end', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion()])
  const first = await platform.called(target)
  calls[0]!.link.events.onLog(1, 'stdout', 'one\ntwo\n')
  platform.backend.alive[0]!.stderr.write('native\n')
  await platform.settle()
  calls[0]!.answer()
  calls[0]!.link.events.onLog(1, 'stderr', 'late\n')
  calls[0]!.link.events.onLog(0, 'stdout', 'of the instance\n')
  assert.deepEqual(
    platform.logs.map(line => [line.stream, line.text, line.invocationId]),
    [
      ['stdout', 'one', first.handle.id],
      ['stdout', 'two', first.handle.id],
      ['stderr', 'native', first.handle.id],
      ['stderr', 'late', first.handle.id],
      ['stdout', 'of the instance', undefined],
    ],
  )
})

test('a flood of output is cut with a mark, for each call anew', async () => {
  const { platform, calls } = holding()
  const target = aFunction([aVersion()])
  await platform.called(target)
  const flood = `${'x'.repeat(16_000)}\n`.repeat(20)
  for (let i = 0; i < 10; i++) calls[0]!.link.events.onLog(1, 'stdout', flood)
  const kept = platform.logs.length
  assert.ok(kept < 70)
  assert.equal(platform.logs.at(-1)!.stream, 'platform')
  calls[0]!.answer()
  await platform.called(target)
  calls[1]!.link.events.onLog(2, 'stdout', 'again\n')
  assert.equal(platform.logs.length, kept + 1)
})
