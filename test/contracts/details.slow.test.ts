import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { createFissionContract } from '../../src/contracts/fission/contract.ts'
import { createFnContract } from '../../src/contracts/fn/contract.ts'
import { createHttpContract } from '../../src/contracts/http/contract.ts'
import { type Contract, HeaderBlock } from '../../src/contracts/index.ts'
import { createQinlingContract } from '../../src/contracts/qinling/contract.ts'
import { createStdioContract, createStdioHttpContract } from '../../src/contracts/stdio/contract.ts'
import { systemClock } from '../../src/core/index.ts'
import { ContractBench, type Running } from '../suites/contract/bench.ts'
import type { Program } from '../suites/contract/under-test.ts'

const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : !existsSync('/usr/bin/python3') && 'python3 is not installed'

/** Instances of one contract, whose calls carry their bodies as they are. */
function benchOf(contract: Contract) {
  const opening = ContractBench.open({
    name: contract.name,
    contract,
    capabilities: contract.capabilities,
    good: { entry: '' },
    isServer: false,
    isBinary: true,
    body: (_, body) => body,
    expected: (_, made) => made,
  })
  after(async () => (await opening).close())
  return async (program: Program, work: (running: Running) => Promise<void>) => {
    const running = await (await opening).start(program)
    try {
      await work(running)
    } finally {
      await running.end()
    }
  }
}

describe('the http contract', { skip }, () => {
  const withServer = benchOf(createHttpContract(systemClock))

  test('method, target, status and fields that are said twice go through as they are', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const headers = ['x-twice', 'a', 'x-twice', 'b', 'host', 'example.org', 'x-call-id', 'forged']
      const call = { body: null, method: 'DELETE', target: '/a%20b?c=d&c=e', headers }
      const answer = await running.call('describe', call)
      assert.equal(answer.status, 418)
      const cookies = answer.headers.filter((_, i) => answer.headers[i - 1] === 'set-cookie')
      assert.deepEqual(cookies, ['a=1', 'b=2'])
      assert.ok(!answer.headers.includes('keep-alive'))
      const seen = JSON.parse(answer.body.toString()) as { method: string; url: string; rawHeaders: string[] }
      assert.equal(seen.method, 'DELETE')
      assert.equal(seen.url, '/a%20b?c=d&c=e')
      const said = (name: string) => seen.rawHeaders.filter((_, i) => seen.rawHeaders[i - 1] === name)
      assert.deepEqual(said('x-twice'), ['a', 'b'])
      assert.deepEqual(said('host'), ['example.org'])
      assert.deepEqual(said('x-call-id'), said('atelier-invocation-id'))
      assert.equal(said('atelier-deadline').length, 1)
    }))

  test('a call that could be read as two is not sent', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const bad: { target?: string; method?: string; headers?: string[] }[] = [
        { target: '/a HTTP/1.1\r\nX: y' },
        { target: '/a b' },
        { method: 'GET /x' },
        { headers: ['x-a', 'b\r\nx-c: d'] },
        { headers: ['x-a\r\nx-b', 'c'] },
      ]
      for (const options of bad)
        assert.throws(() => running.begin('echo', { body: null, ...options }), { code: 'INVALID_INPUT' })
      // U+010A cut to a byte is a line feed.
      const wide = { body: null, headers: ['x-wide', 'a\u010ab'] }
      const seen = (await running.call('describe', wide)).body.toString()
      assert.ok(seen.includes('"x-wide","a\u00c4\u008ab"'), seen)
    }))

  test('headers made ready before are sent, and do not pass for those of the platform', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const block = new HeaderBlock(['host', 'example.org', 'x-block', '1', 'x-call-id', 'forged'])
      const seen = await running.described(block)
      assert.ok(seen.includes('"x-block","1"'))
      assert.ok(seen.includes('"host","example.org"'))
      assert.ok(!seen.includes('forged'))
    }))

  test('a receiver that does not pass on what it gets is not given more and more', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const seen = { bytes: 0 }
      const { promise, resolve } = Promise.withResolvers<void>()
      const head = {
        id: 'x',
        method: 'GET',
        target: '/',
        headers: ['x-do', 'flood'],
        deadline: 0,
        body: null,
      }
      const handle = running.link.invoke(head, {
        onHead: () => {},
        onData: chunk => void (seen.bytes += chunk.length),
        onEnd: () => resolve(),
        onFail: () => resolve(),
      })
      let before = -1
      while (seen.bytes !== before || seen.bytes === 0) {
        before = seen.bytes
        await new Promise(later => setTimeout(later, 100))
      }
      assert.ok(seen.bytes < 1 << 20, `${seen.bytes} bytes`)
      let passed = 0
      const timer = setInterval(() => {
        handle.consumed(seen.bytes - passed)
        passed = seen.bytes
      }, 1)
      await promise
      clearInterval(timer)
      assert.equal(seen.bytes, 128 << 16)
    }))

  test('an answer that breaks off fails in its middle', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const answer = await running.call('half', { body: null })
      assert.equal(answer.status, 200)
      assert.equal(answer.failure?.kind, 'violation')
    }))

  test('with a path to ask, it is ready when that answers well', () =>
    withServer({ entry: 'http.mjs', choice: { readyPath: '/ready' } }, async running => {
      const { initMs } = await running.link.load(running.spec)
      assert.ok(initMs > 0)
      assert.equal((await running.call('echo', { body: Buffer.from('x') })).status, 200)
    }))

  test('what never becomes ready is told with its path and what that answers', () =>
    withServer({ entry: 'http.mjs', choice: { readyPath: '/never', startMs: 4_000 } }, async running => {
      await assert.rejects(
        running.link.load(running.spec),
        /"a\/f" is not ready .*\/never answers status 503/,
      )
    }))

  test('a body that is longer than its content-length never becomes a second request', () =>
    withServer({ entry: 'http.mjs' }, async running => {
      await running.link.load(running.spec)
      const call = running.begin('echo', { body: undefined, headers: ['content-length', '4'] })
      call.write(Buffer.from('1234GET /smuggled HTTP/1.1\r\n\r\n'))
      call.finish()
      assert.equal((await call.answer).failure?.kind, 'error')
    }))
})

describe('the stdio contracts', { skip }, () => {
  const withCommand = benchOf(createStdioContract(systemClock))
  const withProcess = benchOf(createStdioHttpContract())

  test('a command finds the call in its environment, and its body on stdin', () =>
    withCommand({ entry: 'stdio.mjs' }, async running => {
      const headers = ['host', 'example.org', 'x-twice', 'a', 'x-twice', 'b']
      const answer = await running.call('describe', { body: Buffer.from('in'), target: '/r/x?y=1', headers })
      assert.equal(answer.status, 200)
      assert.ok(answer.headers.includes('text/plain; charset=utf-8'))
      assert.deepEqual(JSON.parse(answer.body.toString()), {
        METHOD: 'POST',
        ROUTE: '/r/x',
        REQUEST_URL: 'http://example.org/r/x?y=1',
        HEADER_X_TWICE: 'a b',
        GREETING: "hello 'there'",
        body: 'in',
      })
    }))

  test('a GET gives its parameter payload as the body', () =>
    withCommand({ entry: 'stdio.mjs' }, async running => {
      const call = { body: null, method: 'GET', target: '/r?payload=a%20b' }
      assert.equal((await running.call('echo', call)).body.toString(), 'a b')
    }))

  test('an exit code that is not zero is the answer, and nothing that was written', () =>
    withCommand({ entry: 'stdio.mjs' }, async running => {
      const answer = await running.call('crash', { body: Buffer.from('x') })
      assert.equal(answer.status, 500)
      const { error } = JSON.parse(answer.body.toString()) as { error: unknown }
      assert.deepEqual(error, { message: 'exit code 3' })
    }))

  test('a hot function is sent requests as IronFunctions frames them, and its status is not used', () =>
    withProcess({ entry: 'stdio-http.mjs' }, async running => {
      const answer = await running.call('describe', { body: Buffer.from('in'), headers: ['host', 'h'] })
      assert.equal(answer.status, 200)
      assert.ok(!answer.headers.includes('x-one'))
      const { line, fields, format, body } = JSON.parse(answer.body.toString()) as {
        line: string
        fields: string[]
        format: string
        body: string
      }
      assert.equal(line, 'GET / HTTP/1.1')
      assert.deepEqual([format, body], ['http', 'in'])
      assert.deepEqual(fields, [
        "Greeting: hello 'there'",
        'Header_host: h',
        'Header_x_do: describe',
        'Method: POST',
        'Request_url: http://h/a/path?q=1',
        'Route: /a/path',
        'Content-Length: 2',
        'Task-Id: call-1',
      ])
    }))

  test('a hot function that says something else than an answer is ended', () =>
    withProcess({ entry: 'stdio-http.mjs' }, async running => {
      const answer = await running.raw(Buffer.from('hello\n\n'), false)
      assert.equal(answer.failure?.kind, 'violation')
      await running.closed
    }))

  test('a hot function that answers two calls where there is one is ended, and the second answer is nobody’s', () =>
    withProcess({ entry: 'stdio-http.mjs' }, async running => {
      const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
      const first = await running.raw(Buffer.from(answer('mine') + answer('poison')), false)
      assert.deepEqual([first.body.toString(), first.failure], ['mine', undefined])
      await running.closed
      assert.equal((await running.call('echo', { body: Buffer.from('x') })).failure?.kind, 'closed')
    }))

  test('a hot function that breaks off in mid-answer fails its call', () =>
    withProcess({ entry: 'stdio-http.mjs' }, async running => {
      const half = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf')
      assert.equal((await running.raw(half, true)).failure?.kind, 'closed')
    }))
})

describe('the fn contract', { skip }, () => {
  const withKit = benchOf(createFnContract(systemClock))

  test('an answer that breaks off fails in its middle', () =>
    withKit({ entry: 'fn.mjs' }, async running => {
      await running.link.load(running.spec)
      assert.equal((await running.call('half', { body: null })).failure?.kind, 'violation')
    }))

  test('a kit that answers two calls where there is one gives the second answer to nobody', () =>
    withKit({ entry: 'fn.mjs' }, async running => {
      await running.link.load(running.spec)
      assert.equal((await running.call('twice', { body: null })).body.toString(), 'mine')
      assert.equal((await running.call('echo', { body: Buffer.from('next') })).body.toString(), 'next')
    }))
})

describe('the fission contract', { skip }, () => {
  const withEnvironment = benchOf(createFissionContract(systemClock))

  for (const [version, choice] of [
    [1, { interfaceVersion: 1, code: 'fission-function.mjs' }],
    [2, { functionName: 'fission-function.main' }],
  ] as const)
    test(`an environment of version ${version} is specialised, and its function called at /`, () =>
      withEnvironment({ entry: 'fission.mjs', choice }, async running => {
        await running.link.load(running.spec)
        const call = { body: null, headers: ['x-fission-function-name', 'forged'] }
        const answer = await running.call('describe', call)
        assert.equal(answer.status, 418)
        const { url, headers } = JSON.parse(answer.body.toString()) as {
          url: string
          headers: Record<string, string>
        }
        assert.equal(url, '/?q=1')
        assert.equal(headers['x-fission-full-url'], '/a/path?q=1')
        assert.equal(headers['x-fission-function-name'], 'f')
        assert.equal(headers['x-fission-function-namespace'], 'a')
        assert.equal(headers['x-fission-function-resourceversion'], '1')
        assert.match(headers['x-fission-function-uid'] ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-/)
      }))

  test('a function that its environment does not load is told with the status, its words stand in the log', () =>
    withEnvironment({ entry: 'fission.mjs', choice: { functionName: 'nothing.main' } }, async running => {
      await assert.rejects(running.link.load(running.spec), /"a\/f" was not loaded.*status 500/)
      assert.match(running.logs.join(''), /nothing\.mjs/)
    }))
})

describe('the qinling contract', { skip }, () => {
  const withRuntime = benchOf(createQinlingContract(systemClock))
  const program = { entry: 'qinling.mjs', choice: { functionName: 'qinling-function.run' } }

  test('what is no object is the one positional argument, and no body is no input', () =>
    withRuntime(program, async running => {
      await running.link.load(running.spec)
      for (const [body, input] of [
        ['{"a": 1}', { a: 1 }],
        ['some text', { __function_input: 'some text' }],
        ['[1]', { __function_input: '[1]' }],
        ['', null],
      ] as const) {
        const answer = await running.call('', { body: Buffer.from(body) })
        assert.equal(answer.status, 200)
        assert.ok(answer.headers.includes('qinling-duration'))
        assert.deepEqual((JSON.parse(answer.body.toString()) as { input: unknown }).input, input)
      }
      assert.match(running.logs.join(''), /Start execution: call-1/)
    }))

  test('an execution without success is an error with its output', () =>
    withRuntime(program, async running => {
      await running.link.load(running.spec)
      const answer = await running.call('', { body: Buffer.from('{"fail": true}') })
      assert.equal(answer.status, 500)
      assert.equal(answer.body.toString(), '"Error: as it was told"')
    }))

  test('a result that breaks off, or is none, fails its call', () =>
    withRuntime(program, async running => {
      await running.link.load(running.spec)
      for (const what of ['half', 'nonsense']) {
        const answer = await running.call('', { body: Buffer.from(JSON.stringify({ do: what })) })
        assert.equal(answer.failure?.kind, 'violation', what)
      }
    }))
})
