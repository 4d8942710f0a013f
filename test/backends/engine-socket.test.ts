import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findEngine } from '../../src/backends/container/engine-socket.ts'
import { lookForEngine } from '../../src/backends/index.ts'

const DOCKER = '/var/run/docker.sock'
const PODMAN = '/run/podman/podman.sock'
const OF_USER = '/run/user/7/podman/podman.sock'

/** A machine on which engines listen at these places. */
const listening =
  (...places: string[]) =>
  (path: string) =>
    places.includes(path)

test('the engine is the one that the setting names, else that of DOCKER_HOST, else one in the usual places', () => {
  const env = { DOCKER_HOST: 'unix:///mine.sock', XDG_RUNTIME_DIR: '/run/user/7' }
  const all = listening(DOCKER, PODMAN, OF_USER)
  assert.deepEqual(findEngine('/wanted.sock', env, all), { path: '/wanted.sock' })
  assert.deepEqual(findEngine(undefined, env, all), { path: '/mine.sock' })
  const { DOCKER_HOST: _, ...rest } = env
  assert.deepEqual(findEngine(undefined, rest, all), { path: DOCKER })
  assert.deepEqual(findEngine(undefined, rest, listening(PODMAN, OF_USER)), { path: PODMAN })
  assert.deepEqual(findEngine(undefined, rest, listening(OF_USER)), { path: OF_USER })
})

test('where no engine is, and where one is on another machine, the reason names the way out', () => {
  assert.match((findEngine(undefined, {}, listening()) as { reason: string }).reason, /podman\.socket/)
  for (const host of ['tcp://10.0.0.7:2375', 'ssh://me@there', 'relative.sock']) {
    const { reason } = findEngine(undefined, { DOCKER_HOST: host }, listening(DOCKER)) as { reason: string }
    assert.match(reason, /is no Unix socket of this machine/)
    assert.ok(reason.includes(host))
  }
})

test('an engine that is named and does not answer is told with its place', async () => {
  const found = await lookForEngine('/nowhere/engine.sock', {})
  assert.ok('reason' in found)
  assert.match(found.reason, /\/nowhere\/engine\.sock does not answer.*Docker or Podman/)
})
