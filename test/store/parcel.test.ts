import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { Parcel } from '../../src/store/sqlite/parcel.ts'

/** What arrives of `values` in another thread's hands. */
async function sent(values: readonly Uint8Array[], transfer: readonly ArrayBuffer[]): Promise<Uint8Array[]> {
  const { port1, port2 } = new MessageChannel()
  try {
    return await new Promise(resolve => {
      port2.once('message', resolve)
      port1.postMessage(values, [...transfer])
    })
  } finally {
    port1.close()
  }
}

test('small values travel together in few buffers, and arrive as they were', async () => {
  const parcel = new Parcel()
  const values = Array.from({ length: 1_000 }, (_, i) => Buffer.from(`value ${i} `.repeat(i % 9)))
  const arrived = await sent(
    values.map(value => parcel.copy(value)),
    parcel.transfer,
  )
  assert.ok(parcel.transfer.length < 10, `${parcel.transfer.length} buffers`)
  assert.deepEqual(
    arrived.map(String),
    values.map(value => String(new Uint8Array(value))),
  )
})

test('a value that is a part of a larger buffer takes nothing of the rest along, and stays with its sender', async () => {
  const parcel = new Parcel()
  const large = Buffer.alloc(100_000, 'x')
  const [part, whole, small] = [
    large.subarray(10, 50_010),
    new Uint8Array(5_000).fill(7),
    Buffer.from('small'),
  ]
  const [first, second, third] = await sent(
    [part, whole, small].map(value => parcel.copy(value)),
    parcel.transfer,
  )
  assert.equal(first!.buffer.byteLength, 50_000)
  assert.equal(second!.buffer.byteLength, 5_000)
  assert.ok(third!.buffer.byteLength <= 512)
  assert.deepEqual([part.length, whole[4_999], small.toString()], [50_000, 7, 'small'])
})

test('a large value that is given away is not copied', async () => {
  const parcel = new Parcel()
  const large = new Uint8Array(5_000).fill(7)
  const [arrived] = await sent([parcel.give(large)], parcel.transfer)
  assert.equal(arrived![4_999], 7)
  assert.equal(large.length, 0)
})
