import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watcherOf } from '../../src/server/hand-over.ts'

test('the server of a container is watched by it, also below a small first process', () => {
  assert.match(watcherOf({}, 1, 0, 'node') ?? '', /its container/)
  assert.match(watcherOf({}, 7, 1, 'docker-init') ?? '', /its container/)
  // Started by hand in a container, or left behind by who started it on a machine.
  assert.equal(watcherOf({}, 99, 0, 'docker-init'), undefined)
  assert.equal(watcherOf({}, 99, 1, 'systemd'), undefined)
})

test('a server that systemd follows is watched by it, also where a starter is between', () => {
  for (const [pid, parentPid] of [
    [50, 1],
    [51, 50],
  ] as const)
    assert.match(watcherOf({ SYSTEMD_EXEC_PID: '50' }, pid, parentPid, 'systemd') ?? '', /systemd/)
})
