import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BIN, serverEnvironment } from '../support/command.ts'
import { atelier, folderWith, freshHome, type RunOptions } from './fixture.ts'

const skip = spawnSync('bwrap', ['--version']).status !== 0 && 'bubblewrap is not installed'

/** A real server with its data in `<home>/data`, where the commands find their login. Resolves when it is ready. */
async function startServer(
  t: TestContext,
  home: string,
): Promise<{ readonly child: ChildProcess; readonly stop: () => Promise<void> }> {
  const child = spawn(
    process.execPath,
    [BIN, 'server', '--port', '0', '--router-port', '0', '--warm-instances', '1'],
    {
      cwd: home,
      env: serverEnvironment({ HOME: home, ATELIER_HOME: join(home, 'data') }),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await exited
  }
  t.after(stop)
  let said = ''
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.includes('is ready')) resolve()
      })
    }
    child.once('exit', () => reject(new Error(`the server ended:\n${said}`)))
  })
  return { child, stop }
}

async function works(home: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await atelier(home, args, options)
  assert.equal(code, 0, `atelier ${args.join(' ')}:\n${stdout}${stderr}`)
  return stdout
}

test('the life of a function: begun, deployed, called, changed, rolled back, backed up and restored', {
  skip,
  timeout: 120_000,
}, async t => {
  const home = await freshHome(t)
  const server = await startServer(t, home)
  assert.match(await works(home, ['status']), /state +ready/)
  await works(home, ['init', 'nodejs-hello', 'hello'])
  const { url, version } = JSON.parse(await works(home, ['deploy', 'hello', '-o', 'json'])) as {
    url: string
    version: { number: number }
  }
  assert.equal(version.number, 1)
  assert.deepEqual(await (await fetch(`${url}?name=Ada`)).json(), { message: 'Hello, Ada!', version: 1 })

  await writeFile(join(home, 'hello', 'index.mjs'), `export default () => 'changed'`)
  await works(home, ['deploy', 'hello', '-m', 'another greeting'])
  assert.equal(await works(home, ['invoke', 'hello']), 'changed')
  assert.match(await works(home, ['version', 'list', 'hello']), /2 +live.*another greeting/)
  await works(home, ['rollback', 'hello'])
  assert.equal(
    (JSON.parse(await works(home, ['invoke', 'hello', '--path', '/?name=Bob'])) as { message: string })
      .message,
    'Hello, Bob!',
  )
  assert.equal(await works(home, ['invoke', 'hello:2']), 'changed')

  assert.match(await works(home, ['logs', 'hello']), /saying hello to Bob/)
  const { items } = JSON.parse(await works(home, ['invocation', 'list', 'hello', '-o', 'json'])) as {
    items: { id: string; status: string }[]
  }
  assert.ok(items.length >= 3 && items.every(one => one.status === 'ok'))
  assert.match(await works(home, ['invocation', 'show', items[0]!.id]), /billed/)

  await works(home, ['backup', 'saved'])
  await works(home, ['function', 'delete', 'hello', '--yes'])
  assert.equal((await atelier(home, ['invoke', 'hello'])).code, 3)
  const refused = await atelier(home, ['restore', 'saved', '--yes'])
  assert.notEqual(refused.code, 0)
  await server.stop()
  await rm(join(home, 'data'), { recursive: true })
  await works(home, ['restore', 'saved', '--yes'])
  await startServer(t, home)
  assert.match(await works(home, ['invoke', 'hello']), /Hello, world!/)
  const after = JSON.parse(await works(home, ['invocation', 'list', 'hello', '-o', 'json'])) as {
    items: { id: string }[]
  }
  assert.ok(
    after.items.some(one => one.id === items[0]!.id),
    'the records of calls are restored too',
  )
})

test('what goes wrong on a real server ends with its exit code and says what to do', {
  skip,
  timeout: 120_000,
}, async t => {
  const home = await freshHome(t)
  await startServer(t, home)
  await folderWith(home, 'broken', { 'index.mjs': 'export default () => {' })
  const broken = await atelier(home, ['deploy', 'broken'])
  assert.equal(broken.code, 1)
  assert.match(broken.stderr, /SyntaxError/)
  assert.equal((await atelier(home, ['function', 'show', 'broken'])).code, 3)

  await folderWith(home, 'thrower', { 'index.mjs': `export default () => { throw new Error('on purpose') }` })
  await works(home, ['deploy', 'thrower'])
  const thrown = await atelier(home, ['invoke', 'thrower'])
  assert.equal(thrown.code, 1)
  const [, id] = /atelier logs --invocation (\S+)"/.exec(thrown.stderr) ?? assert.fail(thrown.stderr)
  assert.match(await works(home, ['logs', '--invocation', id!]), /on purpose/)

  await works(home, ['secret', 'set', 'KEY'], { stdin: 'hidden\n' })
  await folderWith(home, 'reader', {
    'index.mjs': 'export default (_, context) => context.secrets',
    'atelier.json': JSON.stringify({
      secrets: ['KEY'],
      triggers: [{ name: 'read', path: '/read' }],
      access: 'public',
    }),
  })
  await works(home, ['deploy', 'reader'])
  const { routerUrl } = JSON.parse(await readFile(join(home, 'data', 'admin.json'), 'utf8')) as {
    routerUrl: string
  }
  assert.deepEqual(await (await fetch(`${routerUrl}/read`)).json(), { KEY: 'hidden' })
  await works(home, ['deploy', 'reader'])
  assert.ok(!(await works(home, ['function', 'show', 'reader'])).includes('hidden'))
})
