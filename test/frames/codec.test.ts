import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { FrameReader, FrameType, FrameWriter, PAYLOAD_BYTES_MAX } from '../../src/contracts/frames/codec.ts'
import { callHeadText, parseResultHead } from '../../src/contracts/frames/heads.ts'
import { HeaderBlock } from '../../src/contracts/index.ts'
import { anyText } from '../support/any-text.ts'

interface Seen {
  readonly type: number
  readonly flags: number
  readonly call: number
  readonly payload: string
}

const frames = fc.array(
  fc.record({
    type: fc.nat(255),
    flags: fc.nat(3),
    call: fc.nat(0x7fff_ffff),
    // Around the size up to which payloads are copied, and with many small ones.
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(9_000).map(size => new Uint8Array(size).fill(size & 255)),
    ),
  }),
  { maxLength: 10 },
)

test('the reader finds the frames that the writer wrote, however the stream is cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1 }), (written, cuts) => {
      const writer = new FrameWriter()
      for (const { type, flags, call, payload } of written) writer.frame(type, flags, call, payload)
      const seen = readAll(Buffer.concat(writer.take()), cuts)
      assert.deepEqual(
        seen,
        written.map(each => ({ ...each, payload: Buffer.from(each.payload).toString('hex') })),
      )
    }),
  )
})

test('a head and a body, small or large, end up in one frame', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.nat(20_000), (head, size) => {
      const writer = new FrameWriter()
      writer.frame(FrameType.ping, 0, 0, Buffer.from('before'))
      writer.frameWithHead(FrameType.call, 1, 7, head, new Uint8Array(size).fill(9))
      writer.window(7, 5)
      const [, call, window] = readAll(Buffer.concat(writer.take()), [1_000_000])
      const expected = Buffer.alloc(4 + Buffer.byteLength(head) + size, 9)
      expected.writeUInt32BE(Buffer.byteLength(head))
      expected.write(head, 4)
      assert.equal(call?.payload, expected.toString('hex'))
      assert.deepEqual([window?.type, window?.payload], [FrameType.window, '00000005'])
    }),
  )
})

test('what has been taken stays as it is while more is written', () => {
  const writer = new FrameWriter()
  writer.frame(FrameType.data, 0, 1, Buffer.from('first'))
  const [first] = writer.take()
  const copy = Buffer.from(first as Uint8Array)
  for (let i = 0; i < 5_000; i++) writer.frame(FrameType.data, 0, 2, Buffer.from('second'))
  assert.ok(copy.equals(first as Uint8Array))
})

test('a payload above the limit stops the reader, whether its head is whole or cut', () => {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(PAYLOAD_BYTES_MAX + 1)
  for (const cut of [1, 3, 9, 10]) {
    const reader = new FrameReader()
    const visitor = { onFrame: () => assert.fail('there is no frame') }
    const problems = [reader.push(head.subarray(0, cut), visitor), reader.push(head.subarray(cut), visitor)]
    assert.ok(problems.some(problem => problem?.includes('1048577 bytes')))
  }
})

test('the reader stops where its visitor says so', () => {
  const writer = new FrameWriter()
  for (let i = 0; i < 3; i++) writer.frame(FrameType.ping, 0, i)
  const seen: number[] = []
  const onFrame = (_type: number, _flags: number, call: number) => {
    seen.push(call)
    return call < 1
  }
  new FrameReader().push(Buffer.concat(writer.take()), { onFrame })
  assert.deepEqual(seen, [0, 1])
})

test('a line break in a call cannot forge a header', () => {
  const head = { id: 'i', method: 'GET', target: '/', deadline: 1, body: null }
  assert.equal(callHeadText({ ...head, headers: ['a', '1'] }), 'GET /\ni\n1\na: 1')
  for (const forged of [
    { ...head, headers: ['a', '1\nb: 2'] },
    { ...head, headers: ['a\nb: 2', '1'] },
    { ...head, headers: [], target: '/\nb' },
    { ...head, headers: [], method: 'GET\n' },
  ]) {
    assert.throws(() => callHeadText(forged), { code: 'INVALID_INPUT' })
  }
  const block = new HeaderBlock(['b', '2'])
  assert.equal(callHeadText({ ...head, headers: ['a', '1'], block }), 'GET /\ni\n1\nb: 2\na: 1')
  assert.throws(() => new HeaderBlock(['a', '1\nb: 2']), { code: 'INVALID_INPUT' })
})

test('the head of an answer is read with suspicion', () => {
  const read = (text: string) => parseResultHead(text, false)
  assert.deepEqual(
    read('200\na: 1\nset-cookie: x\nset-cookie: y\nconnection: close\ntransfer-encoding: chunked'),
    {
      status: 200,
      headers: ['a', '1', 'set-cookie', 'x', 'set-cookie', 'y'],
      contentLength: undefined,
    },
  )
  assert.deepEqual(read('404\ncontent-length: 12\nx:'), {
    status: 404,
    headers: ['x', ''],
    contentLength: 12,
  })
  assert.deepEqual(read('200\nx: caf\u00e9'), {
    status: 200,
    headers: ['x', 'caf\u00e9'],
    contentLength: undefined,
  })
  for (const [text, says] of [
    ['', /status/],
    ['101', /status/],
    ['099', /status/],
    ['600', /status/],
    ['200 OK', /status/],
    ['200\nno colon', /colon/],
    ['200\nA: upper', /name/],
    ['200\na b: 1', /name/],
    ['200\n: 1', /name/],
    ['200\na: x\ry', /characters/],
    ['200\na: \u0000', /characters/],
    ['200\na: \u20ac', /characters/],
    ['200\ncontent-length: -1', /content-length/],
    ['200\ncontent-length: 1\ncontent-length: 2', /content-length/],
  ] as const) {
    const problem = read(text)
    assert.equal(typeof problem, 'string', JSON.stringify(text))
    assert.match(problem as string, says)
  }
})

test('no text makes the reading of a head throw', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 200 }), text => {
      const head = parseResultHead(`200\n${text}`, true)
      if (typeof head === 'object') assert.equal(head.headers.length % 2, 0)
    }),
  )
})

function readAll(stream: Buffer, cuts: readonly number[]): Seen[] {
  const reader = new FrameReader()
  const seen: Seen[] = []
  const visitor = {
    onFrame(type: number, flags: number, call: number, payload: Buffer) {
      seen.push({ type, flags, call, payload: payload.toString('hex') })
      return true
    },
  }
  for (let at = 0, i = 0; at < stream.length; i++) {
    const end = at + (cuts[i % cuts.length] as number)
    assert.equal(reader.push(stream.subarray(at, end), visitor), undefined)
    at = end
  }
  return seen
}
