import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseResultHead } from '../../src/contracts/frames/heads.ts'
import { readAnswerHead } from '../../src/contracts/http1/answer-head.ts'
import { systemClock } from '../../src/core/index.ts'
import { Door } from '../../src/identity/login.ts'
import { readAnswer } from '../../src/router/answer.ts'
import { RequestFields } from '../../src/router/fields.ts'
import { ROUTER_LIMITS_DEFAULT } from '../../src/router/limits.ts'
import { readHead } from '../../src/router/thin/head.ts'
import { RecentIds } from '../../src/triggers/recent-ids.ts'

const MIB = 1024 ** 2

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that are held after `work`, beyond those before it. */
function heldBy(work: () => void): number {
  const before = held()
  work()
  return held() - before
}

function held(): number {
  for (let i = 0; i < 3; i++) collect() // what is outside of the heap goes a round later
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// As it comes from a stream, and so one piece in memory.
const read = (text: string): string => Buffer.from(text).toString('latin1')
const padding = (bytes: number): string => 'x'.repeat(bytes)

test('the name of a login that failed is remembered without what came behind it', async () => {
  const unused = undefined as never
  const door = new Door({ clock: systemClock, store: unused, passwords: unused })
  const fail = (i: number) =>
    assert.rejects(
      door.pass(read(`nobody-${i}-${padding(50_000)}`), `client ${i}`, async () => undefined),
      { code: 'UNAUTHENTICATED' },
    )
  await fail(-1)
  const before = held()
  for (let i = 0; i < 300; i++) await fail(i)
  const bytes = held() - before
  assert.ok(bytes < 4 * MIB, `they hold ${Math.round(bytes / MIB)} MiB`)
})

test('ids of events that are remembered take no more memory for being long', () => {
  const recent = new RecentIds(systemClock, 60_000)
  const begin = (i: number) => assert.equal(recent.begin([read(`${i} ${padding(16_000)}`)]), true)
  begin(-1)
  const bytes = heldBy(() => {
    for (let i = 0; i < 1_000; i++) begin(i)
  })
  assert.ok(bytes < 4 * MIB, `they hold ${Math.round(bytes / MIB)} MiB`)
  assert.equal(recent.begin([read(`7 ${padding(16_000)}`)]), false)
})

test('names of headers that are remembered keep no head alive that they came in', () => {
  const heads: Readonly<Record<string, (i: number) => unknown>> = {
    'of a shim': i =>
      parseResultHead(read(`200\nx-name-of-a-shim-${i}: 1\nx-padding: ${padding(50_000)}`), false),
    'of a shim, with a name that is the whole': i =>
      parseResultHead(read(`200\nx${i}${padding(50_000)}: 1`), false),
    'of a server': i =>
      readAnswerHead(read(`HTTP/1.1 200 OK\r\nx-name-of-a-server-${i}: 1\r\nx-padding: ${padding(60_000)}`)),
    'of a server, with a name that is the whole': i =>
      readAnswerHead(read(`HTTP/1.1 200 OK\r\nx${i}${padding(60_000)}: 1`)),
    'of a client': i => {
      const text = `GET / HTTP/1.1\r\nhost: h\r\nX-Name-Of-A-Client-${i}: 1\r\nx-padding: ${padding(30_000)}`
      return new RequestFields(readHead(read(text), ROUTER_LIMITS_DEFAULT).fields.rawHeaders)
    },
    'of an answer': i => {
      const text = read(`x-name-of-an-answer-${i}${padding(60_000)}`)
      return readAnswer(200, [text.slice(0, 22), '1'], false, false)
    },
  }
  for (const [whose, readOne] of Object.entries(heads)) {
    readOne(-1)
    const bytes = heldBy(() => {
      for (let i = 0; i < 300; i++) assert.notEqual(typeof readOne(i), 'string')
    })
    assert.ok(bytes < 4 * MIB, `heads ${whose} hold ${Math.round(bytes / MIB)} MiB`)
  }
})
