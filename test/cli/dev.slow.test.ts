import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Dev, startDev as start } from './dev-fixture.ts'
import { folderWith, freshHome } from './fixture.ts'

async function startDev(
  t: TestContext,
  files: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ dev: Dev; folder: string }> {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', files)
  return { dev: await start(t, home, folder, args), folder }
}

test('a function runs without a server, and answers with its new code after a change', {
  timeout: 30_000,
}, async t => {
  const { dev, folder } = await startDev(t, {
    'index.mjs': `export default request => { console.log('called'); return 'one ' + new URL(request.url).pathname }`,
  })
  assert.equal(await (await fetch(`${dev.url}/a/b?c=1`)).text(), 'one /a/b')
  await dev.says(/called/)
  await dev.says(/200 GET \/a\/b\?c=1/)
  await writeFile(join(folder, 'index.mjs'), `export default () => 'two'`)
  await dev.says(/Reloaded in/)
  assert.equal(await (await fetch(dev.url)).text(), 'two')
})

test('a syntax error is shown, the last good code goes on, and its repair is loaded', {
  timeout: 30_000,
}, async t => {
  const { dev, folder } = await startDev(t, { 'index.mjs': `export default () => 'good'` })
  await writeFile(join(folder, 'index.mjs'), `export default () => {`)
  await dev.says(/The last good code goes on answering/)
  assert.match(dev.output, /SyntaxError|Unexpected end of input/)
  assert.equal(await (await fetch(dev.url)).text(), 'good')
  await writeFile(join(folder, 'index.mjs'), `export default () => 'repaired'`)
  await dev.says(/Reloaded in/)
  assert.equal(await (await fetch(dev.url)).text(), 'repaired')
})

test('code that never loaded answers with why, and the first good change starts it', {
  timeout: 30_000,
}, async t => {
  const { dev, folder } = await startDev(t, { 'index.mjs': 'import "./missing.mjs"' })
  const broken = await fetch(dev.url)
  assert.equal(broken.status, 500)
  assert.match(((await broken.json()) as { detail: string }).detail, /missing\.mjs/)
  await writeFile(join(folder, 'missing.mjs'), '')
  await writeFile(join(folder, 'index.mjs'), `import './missing.mjs'; export default () => 'there'`)
  await dev.says(/is loaded|Reloaded/)
  assert.equal(await (await fetch(dev.url)).text(), 'there')
})

test('what cannot run here is told with what to do instead', { timeout: 30_000 }, async t => {
  const { dev } = await startDev(t, { 'handler.go': 'package function' })
  await dev.says(/does not run go[^]*Deploy it/)
})

test('bodies stream both ways, with configuration and secrets as the manifest and .env say', {
  timeout: 30_000,
}, async t => {
  const { dev } = await startDev(t, {
    'index.mjs': `export default (request, context) => request.method === 'POST' ? new Response(request.body) : { mode: process.env.MODE, key: context.secrets.KEY }`,
    'atelier.json': JSON.stringify({ config: { MODE: 'fast' }, secrets: ['KEY'] }),
    '.env': 'KEY=hidden\n',
  })
  assert.deepEqual(await (await fetch(dev.url)).json(), { mode: 'fast', key: 'hidden' })
  const large = Buffer.alloc(3_000_000, 'x')
  const echoed = await (await fetch(dev.url, { method: 'POST', body: large })).bytes()
  assert.equal(Buffer.compare(Buffer.from(echoed), large), 0)
})

test('a function that throws, hangs or exits is shown as such, and the next call is served', {
  timeout: 30_000,
}, async t => {
  const { dev } = await startDev(t, {
    'index.mjs': `export default request => {
      const { pathname } = new URL(request.url)
      if (pathname === '/throw') throw new Error('on purpose')
      if (pathname === '/hang') return new Promise(() => {})
      if (pathname === '/exit') process.exit(3)
      return 'fine'
    }`,
    'atelier.json': JSON.stringify({ limits: { timeoutMs: 300 } }),
  })
  const thrown = await fetch(`${dev.url}/throw`)
  assert.equal(thrown.status, 500)
  assert.equal(((await thrown.json()) as { detail: string }).detail, 'on purpose')
  await dev.says(/index\.mjs:3/)
  assert.equal((await fetch(`${dev.url}/hang`)).status, 504)
  assert.equal(await (await fetch(dev.url)).text(), 'fine')
  assert.equal((await fetch(`${dev.url}/exit`)).status, 502)
  assert.equal(await (await fetch(dev.url)).text(), 'fine')
})

test('the debugger listens where --inspect says', { timeout: 30_000 }, async t => {
  const { dev } = await startDev(t, { 'index.mjs': `export default () => 'x'` }, ['--inspect=0'])
  const [, port] =
    /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(dev.output) ?? assert.fail(dev.output)
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { type: string }[]
  assert.equal(targets[0]?.type, 'node')
})

test('Ctrl-C ends code that is still loading, too', { timeout: 30_000 }, async t => {
  const { dev, folder } = await startDev(t, { 'index.mjs': `export default () => 'x'` })
  const endless = `console.log('pid', process.pid)\nawait new Promise(() => setInterval(() => {}, 1000))`
  await writeFile(join(folder, 'index.mjs'), endless)
  await dev.says(/pid \d+/)
  dev.child.kill('SIGINT')
  assert.deepEqual(await dev.exited, [130, null])
})

test('Ctrl-C ends it and every process of it', { timeout: 30_000 }, async t => {
  const { dev, folder } = await startDev(t, { 'index.mjs': `export default () => String(process.pid)` })
  const pid = Number(await (await fetch(dev.url)).text())
  dev.child.kill('SIGINT')
  assert.deepEqual(await dev.exited, [130, null])
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  await rm(folder, { recursive: true })
})
