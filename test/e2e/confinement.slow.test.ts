import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, test } from 'node:test'
import { ServerProcess } from '../support/server-process.ts'

/** Answers with what a connection to `?host=&port=` came to. */
const CONNECTS = {
  'index.mjs': `
import net from 'node:net'
export default async request => {
  const { searchParams } = new URL(request.url)
  return new Promise(resolve => {
    const socket = net.connect({ host: searchParams.get('host'), port: Number(searchParams.get('port')), timeout: 3000 })
    socket.once('connect', () => { socket.destroy(); resolve('connected') })
    socket.once('error', error => resolve(error.code))
    socket.once('timeout', () => { socket.destroy(); resolve('timeout') })
  })
}`,
}
const noSandbox = !existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed'
const noNetwork = noSandbox || (!existsSync('/usr/bin/slirp4netns') && 'slirp4netns is not installed')

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server?.dispose())

test('a function with the network reaches no loopback service of the host, whichever address it tries', {
  skip: noNetwork,
}, async t => {
  const service = createServer(socket => socket.end()).listen(0, '127.0.0.1')
  await new Promise(resolve => service.once('listening', resolve))
  t.after(() => service.close())
  const { port } = service.address() as { port: number }
  await server.deploy('connects', CONNECTS)
  for (const host of ['127.0.0.1', 'localhost', '10.0.2.2', '10.0.2.3', '169.254.169.254', '0.0.0.0']) {
    const { text } = await server.call(`connects?host=${host}&port=${port}`)
    assert.notEqual(text, 'connected', host)
  }
})

test('a function with the network reaches what is outside, and one without reaches nothing', {
  skip: noNetwork,
}, async t => {
  const outside = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .find(each => !each.internal && each.family === 'IPv4')
  if (outside === undefined) return t.skip('this machine has no address but loopback')
  const service = createServer(socket => socket.end()).listen(0, outside.address)
  await new Promise(resolve => service.once('listening', resolve))
  t.after(() => service.close())
  const query = `?host=${outside.address}&port=${(service.address() as { port: number }).port}`
  await server.deploy('connects', CONNECTS)
  await server.deploy('alone', CONNECTS, { network: 'none' })
  assert.equal((await server.call(`connects${query}`)).text, 'connected')
  assert.equal((await server.call(`alone${query}`)).text, 'ENETUNREACH')
})

test('memory, processes and files of a function end at its limits, and its neighbour notices nothing', {
  skip: noSandbox,
}, async () => {
  await server.deploy('neighbour', { 'index.mjs': `export default () => 'well'` })
  await server.deploy(
    'hog',
    {
      'index.mjs': `
import { spawn } from 'node:child_process'
import { openSync, writeFileSync } from 'node:fs'
export default async request => {
  const { pathname } = new URL(request.url)
  if (pathname === '/memory') for (const all = []; ; ) { all.push(Buffer.alloc(8 << 20, 1)); await new Promise(r => setTimeout(r, 5)) }
  if (pathname === '/files') for (let n = 0; ; n++) try { openSync('/tmp', 'r') } catch (error) { return error.code }
  if (pathname === '/disk') for (let n = 0; ; n++) try { writeFileSync('/tmp/' + n, Buffer.alloc(4 << 20)) } catch (error) { return error.code }
  if (pathname === '/read-only') try { writeFileSync('/function/x', '') } catch (error) { return error.code }
  if (pathname === '/processes') {
    for (let n = 0; n < 5000; n++) {
      const failed = await new Promise(resolve => {
        try {
          const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
          child.once('error', error => resolve(error.code))
          child.once('spawn', () => resolve(undefined))
        } catch (error) { resolve(error.code) }
      })
      if (failed) return failed
    }
    return 'no limit'
  }
}`,
    },
    { limits: { memoryMiB: 96, timeoutMs: 20_000 } },
  )
  assert.equal((await server.call('hog/read-only')).text, 'EROFS')
  const processes = await server.call('hog/processes')
  assert.ok(
    processes.status === 502 || processes.text.startsWith('E'),
    `${processes.status} ${processes.text}`,
  )
  const disk = await server.call('hog/disk')
  assert.ok(disk.status === 502 || /^E(NOSPC|DQUOT)/.test(disk.text), `${disk.status} ${disk.text}`)
  assert.match((await server.call('hog/files')).text, /^EMFILE$/)
  const memory = await server.call('hog/memory')
  assert.deepEqual([memory.status, memory.json.code], [502, 'FUNCTION_OUT_OF_MEMORY'])
  assert.equal((await server.call('neighbour')).text, 'well')
})
