import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AtelierError } from '../../src/core/index.ts'
import { ChunkDecoder } from '../../src/core/index.ts'
import { ROUTER_LIMITS_DEFAULT } from '../../src/router/limits.ts'
import { type HeadFields, readHead } from '../../src/router/thin/head.ts'

test('a chunked body is the same however it is cut', () => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 6 }),
      fc.boolean(),
      fc.array(fc.nat(400), { maxLength: 10 }),
      (chunks, decorated, cuts) => {
        const parts = chunks.flatMap(data => [
          Buffer.from(`${data.length.toString(16).toUpperCase()}${decorated ? ';a="b"' : ''}\r\n`),
          Buffer.from(data),
          Buffer.from('\r\n'),
        ])
        const bytes = Buffer.concat([
          ...parts,
          Buffer.from(`0\r\n${decorated ? 'T: 1\r\nU:2\r\n' : ''}\r\nNEXT`),
        ])
        const decoder = new ChunkDecoder(1_000)
        const data: Buffer[] = []
        let consumed = 0
        const ends = [...new Set([...cuts, bytes.length])]
          .filter(end => end <= bytes.length)
          .sort((a, b) => a - b)
        let from = 0
        for (const end of ends) {
          if (decoder.isDone) break
          consumed = from + decoder.decode(bytes.subarray(from, end), 0, part => data.push(part))
          from = end
        }
        assert.equal(decoder.isDone, true)
        assert.equal(bytes.toString('latin1', consumed), 'NEXT')
        assert.deepEqual(Buffer.concat(data), Buffer.concat(chunks))
      },
    ),
  )
})

test('extensions and trailers without end are refused', () => {
  const text = (tail: string) => () => new ChunkDecoder(100).decode(Buffer.from(tail), 0, () => {})
  assert.throws(text(`1;${'x'.repeat(200)}`), { code: 'BODY_TOO_LARGE' })
  assert.throws(text(`0\r\n${'T: 1\r\n'.repeat(50)}`), { code: 'BODY_TOO_LARGE' })
})

test('what the reader of heads takes, node:http takes too, and reads the same', async t => {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    response.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const odd = fc.constantFrom(
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '"',
    '\0',
    '\x7f',
    '\xff',
    '\r',
    '\n',
    '\r\n',
    '\r\n ',
    '0',
    '+',
    '(',
    '_',
  )
  const word = fc.constantFrom('a', 'x-b', 'close', 'chunked', 'keep-alive', '5', '100-continue', 'h')
  const name = fc.constantFrom('X-A', 'x_b', 'Connection', 'Accept', 'Cookie', 'X A', '', 'Host ')
  const value = fc
    .array(fc.oneof({ weight: 4, arbitrary: word }, odd), { maxLength: 4 })
    .map(parts => parts.join(''))
  const target = fc.constantFrom('/', '/a?b', '*', 'http://h/x', '/a b', '/\x01', '/\xff', '', '/#')
  const line = fc.tuple(name, fc.constantFrom(':', ': ', ':\t', ''), value).map(parts => parts.join(''))
  let taken = 0
  await fc.assert(
    fc.asyncProperty(target, fc.array(line, { maxLength: 4 }), async (path, lines) => {
      const text = [`GET ${path} HTTP/1.1`, 'Host: h', ...lines].join('\r\n')
      let head: ReturnType<typeof readHead>
      try {
        head = readHead(text, ROUTER_LIMITS_DEFAULT)
      } catch {
        return
      }
      taken++
      seen.length = 0
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1' })
        socket.on('error', reject)
        socket.on('connect', () => socket.write(Buffer.from(`${text}\r\n\r\n`, 'latin1')))
        socket.once('data', () => {
          socket.destroy()
          resolve()
        })
      })
      assert.equal(seen.length, 1, JSON.stringify(text))
      assert.deepEqual([...head.fields.rawHeaders], seen[0]!.rawHeaders)
      assert.equal(head.target, seen[0]!.url)
    }),
    { numRuns: 400 },
  )
  assert.ok(taken > 50, `${taken} heads were taken`)
})

test('a head reads the same whatever fields came before it on its connection', () => {
  const line = fc.constantFrom(
    'Host: h',
    'X: 1',
    'X: 2',
    'Content-Length: 5',
    'Connection: close',
    'X:\x01',
    'Expect: 100-continue',
  )
  const start = fc.constantFrom(
    'GET / HTTP/1.1',
    'GET /b HTTP/1.1',
    'POST / HTTP/1.1',
    'GET / HTTP/1.0',
    'G\x01T / HTTP/1.1',
    'GET',
  )
  const lines = fc.array(line, { maxLength: 3 })
  const text = (first: string, fields: readonly string[]) => [first, 'Host: h', ...fields].join('\r\n')
  const attempt = (text: string, before?: HeadFields) => {
    try {
      const { fields, ...rest } = readHead(text, ROUTER_LIMITS_DEFAULT, before)
      return { fields, seen: { ...rest, ...fields } }
    } catch (error) {
      return { fields: undefined, seen: (error as AtelierError).code }
    }
  }
  let repeated = 0
  fc.assert(
    fc.property(start, start, lines, lines, fc.boolean(), (first, second, its, others, isSame) => {
      const { fields } = attempt(text(first, its))
      const next = text(second, isSame ? its : others)
      const after = attempt(next, fields)
      if (fields && after.fields === fields) repeated++
      assert.deepEqual(after.seen, attempt(next).seen)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(repeated > 20, `${repeated} were repeated`)
})
