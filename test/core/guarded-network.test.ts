import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { createAddressPolicy, guardNetwork, type HostProblem } from '../../src/core/index.ts'

const guarded = (allow: readonly string[] = []) =>
  guardNetwork(createAddressPolicy({ allow }), problem => new Problem(problem))

class Problem extends Error {
  readonly problem: HostProblem
  constructor(problem: HostProblem) {
    super(problem.kind)
    this.problem = problem
  }
}

test('a name that leads to this machine is refused, and so is an address in whatever notation', async () => {
  for (const host of ['localhost', '127.0.0.1', '[::1]', '::ffff:127.0.0.1', '169.254.169.254'])
    await assert.rejects(guarded().resolve(host), { message: 'forbidden' }, host)
  assert.equal(await guarded(['::1']).resolve('[::1]'), '::1')
  assert.match(await guarded(['127.0.0.0/8', '::1']).resolve('localhost'), /^(127\.0\.0\.1|::1)$/)
})

test('a name that is not known is told apart from one that is forbidden', async () => {
  await assert.rejects(guarded().resolve('no-such-host.invalid'), (error: Problem) => {
    assert.equal(error.problem.kind, 'unknown')
    assert.equal(error.problem.host, 'no-such-host.invalid')
    return true
  })
})

test('a socket that is given the look-up connects nowhere else', async () => {
  const server = createServer(socket => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const forbidden = connect({ host: 'localhost', port, lookup: guarded().lookup })
    const [error] = (await once(forbidden, 'error')) as [Error]
    assert.equal(error.message, 'forbidden')
    const allowed = connect({ host: 'localhost', port, lookup: guarded(['127.0.0.0/8', '::1']).lookup })
    await once(allowed, 'connect')
    allowed.destroy()
  } finally {
    server.close()
  }
})
