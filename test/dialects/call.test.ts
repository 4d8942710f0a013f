import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError, BODY_BYTES_BUFFERED_MAX } from '../../src/core/index.ts'
import { callWhole } from '../../src/dialects/call.ts'
import type { InvokeRequest, Invoker, InvokeSink } from '../../src/invoker/index.ts'

const REQUEST = { method: 'POST', path: '/' } as InvokeRequest

/** An invoker whose calls the test answers by itself. */
function scripted(): { invoker: Invoker; sinks: InvokeSink[]; cancelled: number; consumed: number } {
  const seen = {
    sinks: [] as InvokeSink[],
    cancelled: 0,
    consumed: 0,
    invoker: undefined as unknown as Invoker,
  }
  seen.invoker = {
    invoke(_request, sink) {
      seen.sinks.push(sink)
      return {
        id: 'call-1',
        version: 3,
        write: () => true,
        writeMessage: () => true,
        end: () => {},
        consumed: bytes => void (seen.consumed += bytes),
        cancel: () => void seen.cancelled++, // and nothing more is said to the sink
      }
    },
  }
  return seen
}

test('an answer in pieces comes as one, and its room is given back', async () => {
  const { invoker, sinks, ...rest } = scripted()
  const answer = callWhole(invoker, REQUEST)
  sinks[0]!.onHead(201, ['a', 'b'])
  sinks[0]!.onData(Buffer.from('one '))
  sinks[0]!.onData(Buffer.from('two'))
  sinks[0]!.onEnd()
  const { id, version, status, headers, body } = await answer
  assert.deepEqual([id, version, status, headers, body.toString()], ['call-1', 3, 201, ['a', 'b'], 'one two'])
  assert.equal(rest.cancelled, 0)
})

test('a failure knows its invocation', async () => {
  const { invoker, sinks } = scripted()
  const answer = callWhole(invoker, REQUEST)
  sinks[0]!.onFail(new AtelierError('FUNCTION_TIMEOUT', 'Too slow.'))
  await assert.rejects(answer, { code: 'FUNCTION_TIMEOUT', message: 'Too slow.', invocationId: 'call-1' })
})

test('an answer that is too large is broken off', async () => {
  const seen = scripted()
  const answer = callWhole(seen.invoker, REQUEST)
  seen.sinks[0]!.onHead(200, [])
  seen.sinks[0]!.onData(Buffer.alloc(BODY_BYTES_BUFFERED_MAX + 1))
  await assert.rejects(answer, { code: 'FUNCTION_BAD_ANSWER' })
  assert.equal(seen.cancelled, 1)
})

test('a caller that leaves cancels the call, before it and in its middle', async () => {
  const gone = AbortSignal.abort()
  await assert.rejects(callWhole(scripted().invoker, REQUEST, gone), { code: 'CANCELLED' })
  const leaving = new AbortController()
  const answer = callWhole(scripted().invoker, REQUEST, leaving.signal)
  leaving.abort()
  await assert.rejects(answer, { code: 'CANCELLED' })
})
