import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Version } from '../../src/core/index.ts'
import { BIN, bareEnvironment, serverEnvironment } from '../support/command.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'

const NOBODY_KNOWN = 54_321
const SLOW = {
  'index.mjs': `export default async () => { await new Promise(r => setTimeout(r, 2500)); return 'to the end' }`,
}

test('a server that is told twice at once to stop, as by Ctrl-C under npm, lets running calls finish', async t => {
  const server = await ServerProcess.start()
  t.after(() => server.dispose())
  await server.deploy('slow', SLOW)
  const running = server.call('slow')
  await until('the call runs', async () =>
    (await server.instances('slow')).some(each => each.state === 'busy'),
  )
  process.kill(server.pid, 'SIGINT')
  await sleep(30)
  process.kill(server.pid, 'SIGINT')
  assert.deepEqual([(await running).status, (await running).text], [200, 'to the end'])
  await until('the server has ended', () => !server.isRunning)
})

test('Ctrl-C, which reaches all processes of the terminal at once, lets running calls finish', async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  const { child, exited, said } = run(t, process.execPath, home, [
    'server',
    '--port',
    '0',
    '--router-port',
    '0',
  ])
  await until('it is ready', () => /is ready/.test(said()) || child.exitCode !== null)
  const command = (...args: string[]) =>
    spawnSync(process.execPath, [BIN, ...args], {
      cwd: home,
      env: bareEnvironment({ HOME: home, ATELIER_HOME: join(home, 'data') }),
      encoding: 'utf8',
    })
  writeFileSync(join(home, 'node.mjs'), SLOW['index.mjs'])
  writeFileSync(
    join(home, 'python.py'),
    'import time\ndef handler():\n    time.sleep(2.5)\n    return "to the end"\n',
  )
  const urls = ['node.mjs', 'python.py'].map(file =>
    command('deploy', file, '--public', '--quiet').stdout.trim(),
  )
  const running = urls.map(async url => (await fetch(url)).text())
  await until('both run', () => command('instance', 'list').stdout.match(/ busy /g)?.length === 2)
  process.kill(-child.pid!, 'SIGINT')
  assert.deepEqual(await Promise.all(running), ['to the end', 'to the end'])
  assert.equal(await exited, 0)
})

test('a server that is told to stop while it starts does not stay', async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  const { child, exited } = run(t, process.execPath, home, ['server', '--port', '0', '--router-port', '0'])
  await until('it has begun', () => existsSync(join(home, 'data', 'run')))
  child.kill('SIGTERM')
  assert.equal(await exited, 0)
})

test('started by an older Node, the server ends when that process is told to', {
  skip: withoutOlderNode(),
}, async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  const { child, exited, said } = run(t, olderNode()!, home, ['server', '--port', '0', '--router-port', '0'])
  await until('it is ready', () => /is ready/.test(said()) || child.exitCode !== null)
  const { url } = JSON.parse(readFileSync(join(home, 'data', 'admin.json'), 'utf8')) as { url: string }
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
  child.kill('SIGTERM')
  assert.equal(await exited, 0)
  await assert.rejects(fetch(`${url}/healthz`))
})

test('a server has one heap for all its threads, in the process that was started', async t => {
  const server = await ServerProcess.start()
  t.after(() => server.dispose())
  const environment = readFileSync(`/proc/${server.pid}/environ`, 'utf8').split('\0')
  assert.ok(environment.includes('MALLOC_ARENA_MAX=1'))
  assert.match(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8'), /atelier\.js\0server\0/)
})

test('a second server on the same data is refused, and told which process has them', async t => {
  const server = await ServerProcess.start()
  t.after(() => server.dispose())
  await assert.rejects(ServerProcess.start({ home: server.home }), (error: Error) => {
    assert.match(
      error.message,
      new RegExp(`in use by the process with pid ${server.pid}\\b.*data directory of its own`, 's'),
    )
    return true
  })
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200)
})

test('data lie below a folder that only its owner may enter, in a path with spaces, without HOME', async t => {
  const place = await makeHome()
  t.after(() => removeHome(place))
  chmodSync(place, 0o700)
  const home = join(place, 'my data (1)')
  const server = await ServerProcess.start({ home, env: { HOME: '' } })
  t.after(() => server.dispose())
  await server.deploy('hello', { 'index.mjs': `export default () => 'hello'`, 'lib/a b.mjs': '' })
  assert.equal((await server.call('hello')).text, 'hello')
  await server.deploy('python', { 'main.py': `def handler(request):\n    return "hello"\n` })
  assert.equal((await server.call('python')).text, 'hello')
})

test('a user whom no table knows is told what to set, and with that it works', {
  skip: withoutOtherUsers(),
}, async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  chownSync(home, NOBODY_KNOWN, NOBODY_KNOWN)
  const version = (env: Record<string, string>) =>
    spawnSync(process.execPath, [BIN, '--version'], {
      uid: NOBODY_KNOWN,
      gid: NOBODY_KNOWN,
      cwd: '/',
      env: { PATH: process.env['PATH'], ...env },
      encoding: 'utf8',
    })
  const without = version({})
  assert.equal(without.status, 1)
  assert.match(without.stderr, /^error: .*no home directory.*ATELIER_HOME/)
  const given = version({ ATELIER_HOME: home })
  assert.deepEqual([given.status, given.stderr], [0, ''])
})

test('with the second sandbox the status says so, and functions are kept apart', {
  skip: withoutUnshare(),
}, async t => {
  const place = await makeHome()
  t.after(() => removeHome(place))
  const server = await ServerProcess.start({ home: join(place, 'data'), flags: ['--isolation', 'unshare'] })
  t.after(() => server.dispose())
  const { json } = await server.api<{ isolation: { tier: string; notes: string[] } }>('GET', '/v1/status')
  assert.equal(json.isolation.tier, 'process')
  assert.match(json.isolation.notes.join('\n'), /unshare/)
  await server.deploy('looks', {
    'index.mjs': `import { readdirSync } from 'node:fs'
export default () => { try { return readdirSync(${JSON.stringify(place)}).join() } catch (error) { return error.code } }`,
  })
  assert.equal((await server.call('looks')).text, 'ENOENT')
})

test('without a sandbox the status says so', async t => {
  const server = await ServerProcess.start({ flags: ['--isolation', 'none'] })
  t.after(() => server.dispose())
  const { json } = await server.api<{ isolation: { tier: string; notes: string[] } }>('GET', '/v1/status')
  assert.equal(json.isolation.tier, 'none')
  assert.match(json.isolation.notes.join('\n'), /NOT isolated/)
  await server.deploy('hello', { 'index.mjs': `export default () => 'hello'` })
  assert.equal((await server.call('hello')).text, 'hello')
})

test('without a sandbox a function of Fn is reached at its socket, which goes with it', async t => {
  const server = await ServerProcess.start({ flags: ['--isolation', 'none'] })
  t.after(() => server.dispose())
  const form = new FormData()
  form.set('settings', JSON.stringify({ access: 'public', image: 'fnproject/hello', contract: 'fn' }))
  const made = await server.api('POST', '/v1/apps/default/functions/hello/deploy', form)
  assert.equal(made.status, 201, made.text)
  const { text } = await server.call('hello', { method: 'POST', body: '{"name":"Ann"}' })
  assert.deepEqual(JSON.parse(text), { message: 'Hello Ann' })
  const [instance] = await server.instances('hello')
  const folder = `/tmp/iofs-${instance?.id}`
  assert.ok(existsSync(folder))
  await server.stop()
  assert.ok(!existsSync(folder))
})

test('without a sandbox a build runs all the same, with its own scripts, and its log says so', async t => {
  const server = await ServerProcess.start({ flags: ['--isolation', 'none'] })
  t.after(() => server.dispose())
  const { version } = (await server.deploy('built', {
    'package.json': JSON.stringify({
      type: 'module',
      scripts: { postinstall: 'node make.js' },
      dependencies: { words: 'file:./words' },
    }),
    'words/package.json': JSON.stringify({ name: 'words', version: '1.0.0', main: 'index.js' }),
    'words/index.js': `module.exports = ['made', 'by']`,
    'make.js': `import { writeFileSync } from 'node:fs'
writeFileSync('made.txt', 'the build')
console.log('made it')`,
    'index.js': `import { readFileSync } from 'node:fs'
import words from 'words'
export default () => [...words, readFileSync(new URL('made.txt', import.meta.url), 'utf8')].join(' ')`,
  })) as unknown as { version: Version }
  assert.equal((await server.call('built')).text, 'made by the build')
  const log = await server.api('GET', `/v1/packages/${version.spec.packageDigest}/build-log`)
  assert.match(log.text, /no sandbox: the step runs as a process like any other/)
  const failed = await server.tryDeploy('broken', { 'index.mjs': 'export default () => {' })
  assert.equal(failed.status, 422, failed.text)
})

test('the largest message of a WebSocket is as it was set', async t => {
  const server = await ServerProcess.start({ flags: ['--websocket-message-kib-max', '600'] })
  t.after(() => server.dispose())
  await server.deploy('echo', {
    'index.mjs': `export default (_request, context) => {
  const { socket, response } = context.upgradeWebSocket()
  socket.addEventListener('message', ({ data }) => socket.send(data))
  return response
}`,
  })
  const socket = new WebSocket(`${server.routerUrl.replace('http', 'ws')}/default/default/echo`)
  t.after(() => socket.close())
  const next = (type: 'open' | 'message' | 'close'): Promise<Event> =>
    new Promise((resolve, reject) => {
      socket.addEventListener(type, resolve, { once: true })
      socket.addEventListener('error', reject, { once: true })
    })
  await next('open')
  const large = 'x'.repeat(600 * 1024)
  const back = next('message')
  socket.send(large)
  assert.ok(((await back) as MessageEvent).data === large)
  const closed = new Promise<CloseEvent>(resolve =>
    socket.addEventListener('close', resolve as (event: Event) => void, { once: true }),
  )
  socket.send(`${large}x`)
  assert.equal((await closed).code, 1009)
})

function run(
  t: TestContext,
  node: string,
  home: string,
  args: readonly string[],
): { child: ChildProcess; exited: Promise<number | null>; said: () => string } {
  const child = spawn(node, [BIN, ...args], {
    env: serverEnvironment({ HOME: home, ATELIER_HOME: join(home, 'data') }),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a process group of its own, as a terminal gives it
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  const exited = new Promise<number | null>(resolve => child.once('exit', resolve))
  return { child, exited, said: () => said }
}

function olderNode(): string | undefined {
  return ['/usr/bin/node', '/usr/local/bin/node'].find(
    path =>
      existsSync(path) &&
      Number.parseInt(execFileSync(path, ['-p', 'process.versions.node']).toString(), 10) < 24,
  )
}

function withoutOlderNode(): string | false {
  return olderNode() === undefined && 'the system has no Node older than 24'
}

function withoutUnshare(): string | false {
  return !existsSync('/usr/bin/unshare') && 'unshare (util-linux) is not installed'
}

function withoutOtherUsers(): string | false {
  if (process.getuid?.() !== 0) return 'only root can become another user'
  const reached = spawnSync('test', ['-r', BIN, '-a', '-x', process.execPath], {
    uid: NOBODY_KNOWN,
    gid: NOBODY_KNOWN,
    cwd: '/',
  })
  return reached.status !== 0 && 'the repository lies where other users may not look'
}
