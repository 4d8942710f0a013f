import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallHead, CallSink } from '../../src/contracts/contract.ts'
import { FnAnswer } from '../../src/contracts/fn/answer.ts'
import { fnRequest } from '../../src/contracts/fn/request.ts'
import { requestText } from '../../src/contracts/http1/request.ts'

const FUNCTION = { project: 'p', app: 'a', name: 'f', version: 1 }
const HEAD = {
  id: 'call-1',
  method: 'PUT',
  target: '/x?y=1',
  deadline: Date.UTC(2030, 0, 31, 12),
} as CallHead
const CALLERS = ['host', 'example.org', 'content-type', 'text/plain', 'x-a', '1', 'connection', 'close']

function named(fields: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]!]] : [])))
}

test('a call through the gateway tells the kit what the caller said, under names of its own', () => {
  const { method, target, extra, fields } = fnRequest({ ...HEAD, headers: CALLERS.slice(0, 6) }, FUNCTION)
  assert.deepEqual([method, target], ['POST', '/call'])
  assert.equal(named(extra)['Fn-Http-Request-Url'], 'http://example.org/x?y=1')
  assert.equal(named(extra)['Fn-Deadline'], '2030-01-31T12:00:00Z')
  assert.deepEqual(named(fields), {
    'Fn-Http-H-Host': 'example.org',
    'content-type': 'text/plain',
    'Fn-Http-H-X-A': '1',
  })
})

test('a call that is meant for the kit itself goes as it is, and so does the answer', () => {
  const head = { ...HEAD, headers: [...CALLERS.slice(0, 6), 'atelier-fn-intent', 'invoke'] }
  const { extra, fields } = fnRequest(head, FUNCTION)
  assert.deepEqual(Object.keys(named(extra)), ['host', 'Fn-Call-Id', 'Fn-Deadline', 'Fn-Fn-Id'])
  assert.deepEqual(named(fields), { 'Content-Type': 'text/plain', 'X-A': '1' })

  // What frames the request is said once, by who writes it.
  const body = Buffer.from('12')
  const framed = ['content-length', '2', 'transfer-encoding', 'chunked', 'te', 'trailers', 'x-a', '1']
  const asked = { ...head, body, headers: [...framed, 'atelier-fn-intent', 'invoke'] }
  const { text } = requestText(fnRequest(asked, FUNCTION), asked)
  assert.deepEqual(text.match(/^(?:content-length|transfer-encoding|te):.*$/gim), ['content-length: 2'])

  const seen: (number | readonly string[])[] = []
  const sink = { onHead: (status, headers) => void seen.push(status, headers) } as CallSink
  new FnAnswer(sink, head, () => {}).onHead(200, ['fn-http-status', '201', 'x-b', '2', 'connection', 'close'])
  assert.deepEqual(seen, [200, ['fn-http-status', '201', 'x-b', '2']])
})
