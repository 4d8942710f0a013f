import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ContractBench, type Running } from './contract/bench.ts'
import { breaches } from './contract/breaches.ts'
import type { ContractUnderTest } from './contract/under-test.ts'
import { webSocketTests } from './contract/websocket.ts'

/** The promises of the Contract interface that can be seen with real processes in real sandboxes. */
export function contractSuite(under: ContractUnderTest): void {
  const { capabilities } = under
  const many = capabilities.callsMax === undefined
  describe(`contract ${under.name}`, { skip: under.skip ?? false }, () => {
    let bench: ContractBench
    before(async () => {
      bench = await ContractBench.open(under)
    })
    after(() => bench?.close())

    /** For what ends the instance. */
    const withOwn = async (work: (running: Running) => Promise<void>): Promise<void> => {
      const running = await bench.start(under.good)
      try {
        await running.link.load(running.spec)
        await work(running)
      } finally {
        await running.end()
      }
    }

    /** For what leaves the instance as it was: where one may serve many calls, all these tests are served by the same. */
    const withGood = many
      ? async (work: (running: Running) => Promise<void>) => work(await bench.lasting(under.good))
      : withOwn

    test('a body goes there and back as it is, in one piece and in many', async () => {
      const body = under.isBinary ? randomBytes(200_000) : Buffer.from('text of some length '.repeat(5_000))
      await withGood(async running => {
        const answer = await running.call('echo', { body })
        assert.equal(answer.failure, undefined)
        assert.ok(answer.body.equals(under.expected('echo', body)))
      })
      await withGood(async running => {
        const call = running.begin('echo', { body: undefined })
        const told = under.body('echo', body)
        for (let at = 0; at < told.length; at += 30_000) call.write(told.subarray(at, at + 30_000))
        call.finish()
        assert.ok((await call.answer).body.equals(under.expected('echo', body)))
      })
    })

    test('a call without a body has an empty one', () =>
      withGood(async running => {
        const answer = await running.call('echo', { body: null })
        assert.equal(answer.failure, undefined)
        assert.ok(answer.body.equals(under.expected('echo', Buffer.alloc(0))))
      }))

    test('configuration, secrets and who it is are in its environment', () =>
      withGood(async running => {
        const answer = await running.call('environment', { body: null })
        assert.match(answer.body.toString(), /hello 'there'\|s3cret\|f/)
      }))

    test('an answer of some megabytes comes whole', () =>
      withGood(async running => {
        const answer = await running.call('large', { body: null })
        assert.equal(answer.failure, undefined)
        assert.ok(answer.body.length >= 3 << 20)
      }))

    test(
      'one call after the other is served',
      { skip: !many && 'the contract makes one call of each process' },
      () =>
        withGood(async running => {
          for (const word of ['one', 'two', 'three']) {
            const body = Buffer.from(word)
            assert.ok((await running.call('echo', { body })).body.equals(under.expected('echo', body)))
          }
        }),
    )

    test(
      'two calls run at once where the contract says so',
      { skip: !capabilities.concurrency && 'the contract allows one call at a time' },
      () =>
        withGood(async running => {
          const answers = await Promise.all([
            running.call('slow', { body: null }),
            running.call('slow', { body: null }),
          ])
          for (const { body } of answers) assert.ok(body.equals(under.expected('slow', Buffer.from('2'))))
        }),
    )

    test('what it writes to stderr is its log', () =>
      withGood(async running => {
        await running.call('log', { body: null })
        await running.stderrSays(/a line for the log/)
      }))

    test(
      'a piece of the request is answered before the next is sent',
      { skip: !capabilities.streaming && 'the contract does not stream' },
      () =>
        withGood(async running => {
          const call = running.begin('stream', { body: undefined })
          for (const word of ['ping', 'pong']) {
            call.write(Buffer.from(word))
            await call.received(word)
          }
          call.finish()
          assert.equal((await call.answer).body.toString(), 'pingpong')
        }),
    )

    test('a crash in the middle of a call fails it as closed, and the link tells once', () =>
      withOwn(async running => {
        const answer = await running.call('crash', { body: null })
        if (under.exitCodeIsAnswer) assert.equal(answer.status, 500)
        else assert.equal(answer.failure?.kind, 'closed')
        await running.closed
        assert.equal((await running.sandbox.exited).code, 3)
        await sleep(20)
        assert.equal(running.closes, 1)
      }))

    test(
      'a call to an instance that is gone fails',
      { skip: !many && 'the contract makes one call of each process' },
      () =>
        withOwn(async running => {
          await running.sandbox.kill()
          await running.closed
          assert.equal((await running.call('echo', { body: null })).failure?.kind, 'closed')
        }),
    )

    test(
      'a call that is cancelled hears nothing but its end',
      { skip: !capabilities.streaming && 'the contract does not stream' },
      () =>
        withGood(async running => {
          const call = running.begin('hang', { body: null })
          await sleep(50)
          call.handle.cancel('client')
          assert.equal((await call.answer).status, undefined)
          const body = Buffer.from('still there')
          assert.ok((await running.call('echo', { body })).body.equals(under.expected('echo', body)))
        }),
    )

    webSocketTests(capabilities.webSocket, { withGood, withOwn })

    test('a process that exits at once leaves its code and its last words', async () => {
      const running = await bench.start({ entry: 'exits.mjs' })
      const loading = running.link.load(running.spec).then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      if (under.isServer) assert.equal(await loading, 'FUNCTION_LOAD_FAILED')
      else if (capabilities.callsMax === 1)
        assert.equal((await running.call('echo', { body: null })).status, 500)
      const exit = await running.sandbox.exited
      assert.equal(exit.code, 7)
      assert.match(exit.tail, /it cannot work like this/)
      await running.end()
    })

    test('a process that never comes up is told what it should do', {
      skip: !under.isServer && 'nothing of this contract has to come up',
    }, async () => {
      const running = await bench.start({ entry: 'silent.mjs', choice: { startMs: 300 } })
      await assert.rejects(running.link.load(running.spec), (error: Error & { code: string }) => {
        assert.equal(error.code, 'FUNCTION_LOAD_FAILED')
        assert.match(error.message, under.silence!)
        return true
      })
      await running.end()
    })

    test('drain lets the process end by itself, and one that does not listen is killed', async () => {
      await withOwn(async running => {
        running.link.drain()
        const exit = await running.sandbox.exited
        assert.notEqual(exit.reason, 'killed')
      })
      if (under.stubborn === undefined) return
      const running = await bench.start(under.stubborn)
      await running.link.load(running.spec)
      running.link.drain()
      await running.stderrSays(/not now/)
      assert.equal((await running.call('echo', { body: Buffer.from('x') })).failure, undefined)
      await running.end()
      assert.equal((await running.sandbox.exited).reason, 'killed')
    })

    /** A link of its own to a server that breaks every rule, and lives through that. */
    const withRaw = async (work: (running: Running) => Promise<void>): Promise<void> => {
      const running = (await bench.lasting(under.raw!)).anew()
      await running.link.load(running.spec)
      await work(running)
      running.link.destroy()
    }
    if (under.raw)
      for (const { name, bytes, ends } of breaches)
        test(`an answer with ${name} is a violation`, () =>
          withRaw(async running => {
            const answer = await running.raw(bytes, ends === true)
            assert.equal(answer.failure?.kind, 'violation', JSON.stringify(answer))
          }))

    if (under.raw)
      test('what follows an answer is nobody’s', () =>
        withRaw(async running => {
          const twice =
            'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
          const first = await running.raw(Buffer.from(twice), false)
          assert.equal(first.body.toString(), 'one')
          const second = await running.raw(undefined, false)
          assert.notEqual(second.body.toString(), 'poison')
        }))
  })
}
