import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { looseLimits } from '../../src/backends/container/bounds.ts'
import { LIMITS_DEFAULT } from '../../src/core/index.ts'

test('limits that the kernel does not hold are found, whatever an engine was asked', () => {
  const tight = { ...LIMITS_DEFAULT, memoryMiB: 1, processesMax: 1, cpuMillicores: 1 }
  assert.deepEqual(looseLimits(process.pid, tight), ['memory', 'processes', 'processor time'])
})

test('a process that has ended breaks no limit', async () => {
  const child = spawn('/bin/true')
  await once(child, 'exit')
  assert.deepEqual(looseLimits(child.pid!, LIMITS_DEFAULT), [])
})
