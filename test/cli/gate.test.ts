import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from '../../src/cli/dev/gate.ts'

test('a place that becomes free goes to who waits, not to who comes in between', async () => {
  const gate = new Gate()
  let inside = 0
  const enter = async () => {
    await gate.enter(1)
    inside++
  }
  await enter()
  const waiting = enter()
  gate.leave()
  inside--
  const late = enter()
  await waiting
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(inside, 1)
  gate.leave()
  inside--
  await late
  assert.equal(inside, 1)
})
