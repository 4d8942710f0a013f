import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Backend, Grant, ProcessSpec, Sandbox } from '../../src/backends/index.ts'
import { IN_GVISOR } from './inside.ts'
import { openLocal, unavailable } from './local-fixture.ts'

const never = new AbortController().signal
const missing = existsSync('/usr/bin/python3') ? unavailable() : 'python3 is not installed'

// Listens on $PORT and at $SOCKET, says who is there, and tells $CALLBACK that it is up.
const PROGRAM = `
import os, select, signal, socket, sys
print(os.environ.get("ODD"), file=sys.stderr, flush=True)
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind(("127.0.0.1", int(os.environ["PORT"]))); tcp.listen()
unix = socket.socket(socket.AF_UNIX); unix.bind(os.environ["SOCKET"]); unix.listen()
if "CALLBACK" in os.environ:
    back = socket.create_connection(("127.0.0.1", int(os.environ["CALLBACK"]))); back.sendall(b"up"); back.close()
while True:
    for each in select.select([tcp, unix], [], [])[0]:
        peer, _ = each.accept(); peer.sendall(b"tcp" if each is tcp else b"unix"); peer.close()
`

const WAYS = IN_GVISOR ? (['gvisor'] as const) : (['bubblewrap', 'unshare', 'none'] as const)

for (const isolation of WAYS)
  describe(`sockets into a sandbox by ${isolation}`, { skip: missing }, () => {
    let backend: Backend
    let grant: Grant
    let dispose: () => Promise<void>
    let count = 0
    const folder = isolation === 'gvisor' ? '/tmp/sockets' : '/tmp' // gVisor shows its sockets in one folder only
    const port = async () => (isolation === 'none' ? freePort() : 8080)

    before(async () => {
      const local = await openLocal(isolation === 'gvisor' ? {} : { isolation })
      ;({ backend, grant, dispose } = local)
      await writeFile(join(grant.bundlePath, 'main.py'), PROGRAM)
    })
    after(async () => {
      await backend.close()
      await dispose()
    })

    const start = (process: ProcessSpec): Promise<Sandbox> =>
      backend.start(
        {
          id: `inside-${++count}`,
          launch: {
            environment: 'test',
            command: ['/usr/bin/python3', '/function/main.py'],
            env: { SOCKET: `${folder}/socket` },
            mounts: [],
            directory: '/function',
            ...(isolation === 'gvisor' && { isolation }),
          },
          grant,
          process: isolation === 'gvisor' ? { folder, ...process } : process,
        },
        never,
      )

    test('a port and a path inside can be connected to, as soon as somebody listens there', async () => {
      const at = await port()
      const sandbox = await start({ env: { PORT: String(at) } })
      assert.equal(await said(await sandbox.connect({ port: at }, 10_000)), 'tcp')
      assert.equal(await said(await sandbox.connect({ path: `${folder}/socket` }, 10_000)), 'unix')
      assert.equal(await sandbox.connect({ path: `${folder}/nothing` }), undefined)
      if (isolation === 'gvisor')
        await assert.rejects(sandbox.connect({ path: '/tmp/elsewhere' }), { code: 'BACKEND_FAILED' })
      assert.equal(await sandbox.connect({ port: await freePort() }), undefined)
      await sandbox.kill()
    })

    test('what is listened to before the command runs is there when it connects first of all', async () => {
      const [at, callback] = [await port(), isolation === 'none' ? await freePort() : 9001]
      const heard = Promise.withResolvers<string>()
      let server: Server | undefined
      const sandbox = await start({
        env: { PORT: String(at), CALLBACK: String(callback) },
        beforeStart: async inside => {
          server = await inside.listen({ port: callback })
          server.on('connection', socket => void said(socket).then(heard.resolve))
        },
      })
      assert.equal(await heard.promise, 'up')
      await sandbox.kill()
      server?.close()
    })

    test('environment variables reach the command as they are, and only when a held one begins', async () => {
      const odd = `'quotes' "double" $HOME \`x\` \\ and\na line`
      const at = await port()
      const sandbox = await start({ env: { PORT: String(at), ODD: 'replaced' }, held: true })
      assert.equal(await sandbox.connect({ port: at }, 50), undefined)
      sandbox.begin({ ODD: odd })
      assert.equal(await said(await sandbox.connect({ port: at }, 10_000)), 'tcp')
      await sandbox.kill()
      assert.ok((await sandbox.exited).tail.startsWith(`${odd}\n`))
    })

    test('a command that is asked to end by SIGTERM does', {
      skip: (isolation === 'unshare' || IN_GVISOR) && 'the command is process 1 there, which ignores it',
    }, async () => {
      const at = await port()
      const sandbox = await start({ env: { PORT: String(at) } })
      await said(await sandbox.connect({ port: at }, 10_000))
      sandbox.terminate()
      assert.equal((await sandbox.exited).signal, 'SIGTERM')
    })

    test('nobody is connected to once the sandbox is gone', async () => {
      const at = await port()
      const sandbox = await start({ env: { PORT: String(at) } })
      await said(await sandbox.connect({ port: at }, 10_000))
      await sandbox.kill()
      const outcome = await sandbox.connect({ port: at }).catch((error: { code: string }) => error.code)
      assert.equal(outcome, isolation === 'none' ? undefined : 'BACKEND_FAILED')
    })

    test('a path leads nowhere outside the sandbox', {
      skip: isolation === 'none' && 'there is no file system of its own',
    }, async t => {
      const path = join('/tmp', `atelier-outside-${process.pid}`)
      const outside = createServer(socket => socket.end('outside')).listen(path)
      await once(outside, 'listening')
      t.after(() => rm(path, { force: true }))
      const at = await port()
      const sandbox = await start({ env: { PORT: String(at) } })
      await said(await sandbox.connect({ port: at }, 10_000))
      for (const way of [path, `/proc/1/root${path}`, `/../..${path}`, `/proc/${process.pid}/root${path}`]) {
        const socket = await sandbox.connect({ path: way }).catch(() => undefined)
        assert.equal(socket, undefined, way)
      }
      await sandbox.kill()
      outside.close()
    })
  })

async function said(socket: Socket | undefined): Promise<string> {
  assert.ok(socket, 'nobody listens')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  if (!socket.closed) await once(socket, 'close')
  return text
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
