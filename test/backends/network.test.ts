import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, describe, test } from 'node:test'
import type { Sandbox } from '../../src/backends/index.ts'
import { OutboundNetwork } from '../../src/backends/local/network.ts'
import { until } from '../support/server-process.ts'
import { pythonInside, SHELL } from './inside.ts'
import { openLocal, unavailable } from './local-fixture.ts'

const never = new AbortController().signal
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find(each => each !== undefined && each.family === 'IPv4' && !each.internal)?.address

describe('the network of a local sandbox', { skip: unavailable() }, () => {
  let fixture: Awaited<ReturnType<typeof openLocal>>
  let server: Server
  let loopback: Server
  let why: string | false = false

  before(async () => {
    fixture = await openLocal({})
    const { network, notes } = fixture.backend.capabilities()
    why = !network.includes('outbound') && notes.join(' ')
    const greet = () => createServer(socket => socket.on('error', () => {}).end('reached'))
    server = greet().listen(0, '0.0.0.0')
    loopback = greet().listen(0, '127.0.0.1')
    await Promise.all([once(server, 'listening'), once(loopback, 'listening')])
  })
  after(async () => {
    server?.close()
    loopback?.close()
    await fixture?.backend.close()
    await fixture?.dispose()
  })

  const connect = (sandbox: Sandbox, address: string, port: number) =>
    pythonInside(
      sandbox,
      `import socket
try:
  s = socket.create_connection(("${address}", ${port}), 3); print(s.recv(100).decode() or "closed")
except OSError as e: print("failed:", e)`,
    )
  const port = (of: Server) => (of.address() as AddressInfo).port

  for (const way of ['granted', 'attached'] as const) {
    const start = async (id: string) => {
      const grant = { ...fixture.grant, network: 'outbound' } as const
      if (way === 'granted') return fixture.backend.start({ id, launch: SHELL, grant }, never)
      const sandbox = await fixture.backend.start({ id, launch: SHELL }, never)
      await sandbox.attach(grant)
      return sandbox
    }

    test(`outbound reaches another address of the network (${way})`, async t => {
      if (why !== false) return t.skip(why)
      if (ownAddress === undefined) return t.skip('this machine has no address but loopback')
      const sandbox = await start(`out-${way}`)
      assert.equal((await connect(sandbox, ownAddress, port(server))).text, 'reached\n')
      await sandbox.kill()
    })

    test(`outbound has no way to loopback services of the host, nor to cloud metadata (${way})`, async t => {
      if (why !== false) return t.skip(why)
      const sandbox = await start(`in-${way}`)
      for (const address of ['127.0.0.1', '10.0.2.2', '10.0.2.3', '10.0.2.1', 'localhost', '0.0.0.0', '::1'])
        assert.match((await connect(sandbox, address, port(loopback))).text, /failed/, address)
      for (const address of ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192'])
        assert.match(
          (await connect(sandbox, address, 80)).text,
          /failed: .*(unreachable|Invalid argument)/i,
          address,
        )
      await sandbox.kill()
    })
  }

  test('two sandboxes with a network cannot reach each other', async t => {
    if (why !== false) return t.skip(why)
    const grant = { ...fixture.grant, network: 'outbound' } as const
    const [one, two] = await Promise.all(
      ['one', 'two'].map(id => fixture.backend.start({ id, launch: SHELL, grant }, never)),
    )
    assert.ok(one && two)
    const { text } = await pythonInside(
      one,
      `import socket, os
s = socket.socket(); s.bind(("0.0.0.0", 4444)); s.listen()
a = socket.socket(socket.AF_UNIX); a.bind("\\0shared"); a.listen()
if os.fork() == 0:
  import time; time.sleep(20); os._exit(0)
print("listening", flush=True); os._exit(0)`,
    )
    assert.equal(text, 'listening\n')
    for (const address of ['10.0.2.100', '10.0.2.15', '127.0.0.1'])
      assert.match((await connect(two, address, 4444)).text, /failed/, address)
    const abstract = await pythonInside(
      two,
      'import socket\ns = socket.socket(socket.AF_UNIX)\ntry: s.connect("\\0shared"); print("reached")\nexcept OSError as e: print("failed", e)',
    )
    assert.match(abstract.text, /failed/)
    await Promise.all([one.kill(), two.kill()])
  })

  test('names are looked up at the address that its resolv.conf says', async t => {
    if (why !== false) return t.skip(why)
    const grant = { ...fixture.grant, network: 'outbound' } as const
    const sandbox = await fixture.backend.start({ id: 'names', launch: SHELL, grant }, never)
    const { text } = await pythonInside(
      sandbox,
      `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(open("/etc/resolv.conf").read().split()[1])
s.connect(("10.0.2.3", 53)); print("way open")
try: s.connect(("10.0.2.3", 54)); print("OPEN")
except OSError as e: print("closed")`,
    )
    assert.equal(text, '10.0.2.3\nway open\nclosed\n')
    await sandbox.kill()
  })

  test('what a sandbox was connected by goes when it is cut, though the sandbox has ended', async t => {
    const network = OutboundNetwork.find()
    if ('reason' in network) return t.skip(network.reason)
    if (process.getuid?.() !== 0) return t.skip('only root may make a network without a user namespace')
    const namespaceOf = (pid: number | 'self') => readlinkSync(`/proc/${pid}/ns/net`)
    const held = spawn('unshare', ['--net', 'sleep', '600'])
    t.after(() => held.kill('SIGKILL'))
    await until('it has a network', () => namespaceOf(held.pid!) !== namespaceOf('self'))
    const connection = await network.connect(held.pid!, { kind: 'own', uid: 0 })
    t.after(connection.close)
    const stacks = () => spawnSync('pgrep', ['-P', String(process.pid), 'slirp4netns']).status === 0
    assert.ok(stacks())
    held.kill('SIGKILL')
    await once(held, 'exit')
    await assert.rejects(connection.cut())
    await until('its network stack is gone', () => !stacks())
  })
})
