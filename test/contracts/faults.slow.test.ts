import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ServerProcess } from '../support/server-process.ts'

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server?.dispose())

const BOOTSTRAP = `
const at = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/invocation/'
if (process.env._HANDLER === 'never.asks') setInterval(() => {}, 1000)
else if (process.env._HANDLER === 'exits.early') process.exit(4)
else for (;;) {
  const asked = await fetch(at + 'next')
  const id = asked.headers.get('lambda-runtime-aws-request-id')
  const event = await asked.json()
  if (event.rawPath === '/exit') process.exit(5)
  if (event.rawPath === '/late') await new Promise(resolve => setTimeout(resolve, 60_000))
  if (event.rawPath === '/garbage') await fetch(at + id + '/response', { method: 'POST', body: '<html>' })
  else if (event.rawPath !== '/skip') {
    const body = process.env._HANDLER + ' ' + process.pid + ' ' + process.env.KEY
    await fetch(at + id + '/response', { method: 'POST', body: JSON.stringify({ statusCode: 200, body }) })
  }
}
`
const lambda = (entry: string, more: object = {}) => ({
  environment: 'nodejs',
  contract: { name: 'lambda', startMs: 1_500 },
  entry,
  config: { KEY: 'value' },
  ...more,
})

test('a custom runtime runs, and is replaced when it exits, skips a call or answers too late', async () => {
  const settings = lambda('bootstrap.mjs#index.handler', {
    limits: { timeoutMs: 2_000 },
    scaling: { instancesMax: 1 },
  })
  await server.deploy('custom', { 'bootstrap.mjs': BOOTSTRAP }, settings)
  const well = await server.call('custom')
  assert.match(well.text, /^index\.handler \d+ value$/)
  const answers = await Promise.all([server.call('custom'), server.call('custom')])
  for (const { status } of answers) assert.equal(status, 200, 'two at once go one after the other')
  const statuses: [string, number, string | undefined][] = []
  for (const path of ['garbage', 'skip', 'exit', 'late']) {
    const { status, text } = await server.call(`custom/${path}`)
    statuses.push([path, status, /FUNCTION_\w+/.exec(text)?.[0]])
    assert.equal((await server.call('custom')).status, 200, `after ${path}`)
  }
  assert.deepEqual(statuses, [
    ['garbage', 500, 'FUNCTION_FAILED'],
    ['skip', 502, 'FUNCTION_BAD_ANSWER'],
    ['exit', 502, 'FUNCTION_CRASHED'],
    ['late', 504, 'FUNCTION_TIMEOUT'],
  ])
})

test('a runtime that never asks, and one that exits at once, say so to their caller', async () => {
  await server.deploy('silent', { 'bootstrap.mjs': BOOTSTRAP }, lambda('bootstrap.mjs#never.asks'))
  assert.match((await server.call('silent')).text, /did not ask for its first call within 1500 ms/)
  await server.deploy('early', { 'bootstrap.mjs': BOOTSTRAP }, lambda('bootstrap.mjs#exits.early'))
  assert.match((await server.call('early')).text, /ended while it was loaded \(exit code 4\)/)
})

const KIT = `
import http from 'node:http'
import { symlinkSync } from 'node:fs'
const path = process.env.FN_LISTENER.slice('unix:'.length)
if (!process.env.SILENT) http.createServer((request, response) => {
  const url = request.headers['fn-http-request-url']
  if (url.endsWith('/odd')) response.writeHead(418).end('odd')
  else if (url.endsWith('/threw')) response.writeHead(502).end('{"detail":"no such luck"}')
  else if (url.endsWith('/cut')) request.socket.destroy()
  else response.writeHead(200, { 'Fn-Http-Status': '202', 'Fn-Http-H-X-A': 'b', 'Fn-Fdk-Version': 'own/1', hidden: 'x' }).end('well')
}).listen(path + '.tmp', () => symlinkSync('lsnr.sock.tmp', path))
else setInterval(() => {}, 1000)
`

test('a kit of Fn that breaks the contract is replaced, and one that listens nowhere is told where', async () => {
  const fn = { environment: 'nodejs', contract: { name: 'fn', startMs: 1_500 }, entry: 'func.mjs' }
  await server.deploy('kit', { 'func.mjs': KIT }, fn)
  const well = await server.call('kit')
  assert.deepEqual([well.status, well.text, well.headers.get('x-a')], [202, 'well', 'b'])
  assert.deepEqual([well.headers.get('hidden'), well.headers.get('fn-fdk-version')], [null, null])
  const statuses: [string, number, string | undefined][] = []
  for (const path of ['threw', 'odd', 'cut']) {
    const { status, text } = await server.call(`kit/${path}`)
    statuses.push([path, status, /FUNCTION_\w+/.exec(text)?.[0]])
    assert.equal((await server.call('kit')).status, 202, `after ${path}`)
  }
  assert.deepEqual(statuses, [
    ['threw', 500, 'FUNCTION_FAILED'],
    ['odd', 502, 'FUNCTION_BAD_ANSWER'],
    ['cut', 502, 'FUNCTION_BAD_ANSWER'],
  ])
  await server.deploy('nowhere', { 'func.mjs': KIT }, { ...fn, config: { SILENT: 'yes' } })
  assert.match(
    (await server.call('nowhere')).text,
    /does not listen on \/tmp\/iofs\/lsnr\.sock after 1500 ms/,
  )
})
