import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeBackend } from '../../src/backends/fake/index.ts'
import { framesContract } from '../../src/contracts/index.ts'
import { FunctionTable, type Invocation, type LogLine, systemClock } from '../../src/core/index.ts'
import { createInvoker } from '../../src/invoker/index.ts'
import { createPool } from '../../src/pool/index.ts'
import { Caller } from '../support/calls.ts'
import { aFunction, aVersion } from '../support/fleet.ts'

const [HELLO, LOAD, LOADED, CALL, RESULT, LOG] = [1, 2, 3, 16, 17, 23]
const END = 1

/** A shim in this process: echoes the path, logs it, and ends its stream when told to crash. */
function playShim(stream: Duplex): void {
  const send = (type: number, flags: number, call: number, payload: Buffer): void => {
    const head = Buffer.alloc(10)
    head.writeUInt32BE(payload.length, 0)
    head[4] = type
    head[5] = flags
    head.writeUInt32BE(call, 6)
    stream.write(Buffer.concat([head, payload]))
  }
  let rest = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 10 && rest.length >= 10 + rest.readUInt32BE(0)) {
      const length = rest.readUInt32BE(0)
      const [type, call, payload] = [rest[4], rest.readUInt32BE(6), rest.subarray(10, 10 + length)]
      rest = rest.subarray(10 + length)
      if (type === LOAD) send(LOADED, 0, 0, Buffer.from('{"initUs":5}'))
      if (type !== CALL) continue
      const path = payload.toString('latin1', 4).split(/[ \n]/)[1]!
      if (path === '/crash') return void stream.destroy()
      send(LOG, 0, call, Buffer.from(`\u0001saw ${path}\n`))
      const head = Buffer.from('200\ncontent-type: text/plain')
      const size = Buffer.alloc(4)
      size.writeUInt32BE(head.length, 0)
      send(RESULT, END, call, Buffer.concat([size, head, Buffer.from(path)]))
    }
  })
  send(HELLO, 0, 0, Buffer.from('{"protocol":1,"shim":"test","runtime":"none","pid":1}'))
}

test('calls go through pool, invoker and the frames contract, several at once, with their logs and records', async () => {
  const backend = new FakeBackend({ knobs: { onStart: sandbox => playShim(sandbox.peer) } })
  const records: Invocation[] = []
  const logs: LogLine[] = []
  const table = new FunctionTable()
  const pool = createPool({
    backend,
    contracts: () => framesContract,
    environments: new Map([
      [
        'nodejs',
        { launch: { environment: 'nodejs', command: [], env: {}, mounts: [] }, contract: 'frames', warm: 1 },
      ],
    ]),
    bundles: { locate: async () => '/bundle' },
    secrets: { read: async () => ({}) },
    table,
    clock: systemClock,
    onLog: line => logs.push(line),
    onTrouble: (message, cause) => assert.fail(`${message}: ${String(cause)}`),
    limits: { instancesMax: 10, memoryMiBMax: 10_000 },
  })
  const observer = { onInvocation: (record: Invocation) => records.push(record), onLog: () => {} }
  const invoker = createInvoker({ table, pool, observer, clock: systemClock })
  const target = aFunction([aVersion({ limits: { concurrency: 8 } })])
  const call = (path: string, of = target): Caller => {
    const caller = new Caller()
    const request = {
      target: of,
      qualifier: undefined,
      trigger: 'test',
      method: 'GET',
      path,
      headers: [],
      body: null,
    }
    caller.handle = invoker.invoke(request, caller)
    return caller
  }
  const over = async (callers: readonly Caller[]): Promise<void> => {
    for (let i = 0; i < 500 && callers.some(each => each.ends === 0); i++) await sleep(10)
  }

  const callers = Array.from({ length: 40 }, (_, index) => call(`/${index}`))
  await over(callers)
  assert.deepEqual(
    callers.map(each => [each.status, each.body]),
    callers.map((_, index) => [200, `/${index}`]),
  )
  for (const [index, { handle }] of callers.entries()) {
    assert.equal(logs.find(line => line.text === `saw /${index}`)?.invocationId, handle.id)
    assert.equal(records.find(record => record.id === handle.id)?.status, 'ok')
  }

  // What cannot be said in a CALL fails by itself, whether its instance is there or must start first.
  const odd = call('/in two\nlines')
  await over([odd])
  assert.deepEqual([odd.error?.code, odd.heard], ['INVALID_INPUT', ['fail']])
  const cold = call('/in two\nlines', aFunction([aVersion({ name: 'other' })]))
  await over([cold])
  assert.equal(cold.error?.code, 'INVALID_INPUT')
  const crash = call('/crash')
  await over([crash])
  assert.equal(crash.error?.code, 'FUNCTION_CRASHED')
  const after = call('/after')
  await over([after])
  assert.equal(after.body, '/after')
  await pool.close(1_000)
  assert.equal(backend.alive.length, 0)
  assert.equal(invoker.inHand, 0)
})
