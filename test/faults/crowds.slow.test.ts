import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultTest } from '../support/neighbour.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const MIB = 1024 * 1024
const CLIENTS = 2_000
const FIRST_CALLS = 50

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server.dispose())

faultTest(
  `${CLIENTS} clients at once get 200, or 429 with Retry-After, and nothing else`,
  () => server,
  async () => {
    const code =
      'export default async () => { await new Promise(resolve => setTimeout(resolve, 20)); return "done" }'
    await server.deploy(
      'crowd',
      { 'index.mjs': code },
      { limits: { concurrency: 20 }, scaling: { instancesMax: 2 } },
    )
    await server.call('crowd')
    const before = server.residentBytes
    const agent = new Agent({ keepAlive: false, maxSockets: CLIENTS })
    const url = `${server.routerUrl}/default/default/crowd`
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => ask(url, agent)))
    const counts = new Map<string, number>()
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
    const served = counts.get('200 done') ?? 0
    const refused = counts.get('429 retry later') ?? 0
    assert.equal(served + refused, CLIENTS, JSON.stringify([...counts]))
    assert.ok(served >= 1_000, `as many as may wait are served: ${JSON.stringify([...counts])}`)
    assert.ok(server.residentBytes - before < 200 * MIB, 'memory stays bounded')
    assert.equal((await server.call('crowd')).text, 'done')
  },
)

function ask(url: string, agent: Agent): Promise<string> {
  return new Promise(resolve => {
    request(url, { agent }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const wait = Number(response.headers['retry-after'])
        const isLater = response.statusCode === 429 && wait >= 1 && text.includes('TOO_MANY_REQUESTS')
        resolve(isLater ? '429 retry later' : `${response.statusCode} ${text}`)
      })
      response.on('error', error => resolve(String(error)))
    })
      .on('error', error => resolve(String(error)))
      .end()
  })
}

faultTest(
  `${FIRST_CALLS} functions that are called for the first time at once all answer`,
  () => server,
  async () => {
    const names = Array.from({ length: FIRST_CALLS }, (_, n) => `first-${n}`)
    for (const [n, name] of names.entries())
      await (n % 2 === 0
        ? server.deploy(name, { 'index.mjs': `export default () => "${name}"` })
        : server.deploy(name, { 'main.py': `def main(request, context): return "${name}"` }))
    const answers = await Promise.all(names.map(name => server.call(name)))
    assert.deepEqual(
      answers.map(each => `${each.status} ${each.text}`),
      names.map(name => `200 ${name}`),
    )
  },
)

faultTest(
  'a rollback takes effect for the next request',
  () => server,
  async () => {
    for (const version of [1, 2]) {
      await server.deploy('rolled', { 'index.mjs': `export default () => "version ${version}"` })
      assert.equal((await server.call('rolled')).text, `version ${version}`)
    }
    for (const [to, text] of [
      [1, 'version 1'],
      [2, 'version 2'],
      [1, 'version 1'],
    ] as const) {
      const answer = await server.api('POST', '/v1/apps/default/functions/rolled/rollback', { version: to })
      assert.equal(answer.status, 200, answer.text)
      assert.equal((await server.call('rolled')).text, text)
    }
    const none = await server.api('POST', '/v1/apps/default/functions/rolled/rollback', { version: 99 })
    assert.equal(none.status, 404)
    assert.match(none.json.detail, /99/)
    assert.equal((await server.call('rolled')).text, 'version 1')
  },
)

for (const { language, files } of [
  {
    language: 'nodejs',
    files: {
      'index.mjs':
        'let now = 0, most = 0\nexport default async () => { most = Math.max(most, ++now); await new Promise(resolve => setTimeout(resolve, 300)); now--; return String(most) }',
    },
  },
  {
    language: 'python',
    files: {
      'main.py':
        'import threading, time\nlock = threading.Lock()\nnow = most = 0\ndef main(request, context):\n    global now, most\n    with lock:\n        now += 1\n        most = max(most, now)\n    time.sleep(0.3)\n    with lock: now -= 1\n    return str(most)\n',
    },
  },
])
  test(`an instance of ${language} holds as many calls as it may, no more, and goes when it is idle`, async () => {
    const name = `shared-${language}`
    await server.deploy(name, files, {
      limits: { concurrency: 3 },
      scaling: { instancesMax: 1, idleMs: 1_000 },
    })
    const answers = await Promise.all(Array.from({ length: 9 }, () => server.call(name)))
    assert.ok(
      answers.every(each => each.status === 200),
      answers.map(each => each.text).join('\n'),
    )
    assert.equal(Math.max(...answers.map(each => Number(each.text))), 3)
    assert.equal((await server.instances(name)).length, 1)
    await until('the idle instance is gone', async () => (await server.instances(name)).length === 0)
    assert.equal((await server.call(name)).text, '1')
  })

const NAMES = [
  '',
  ' ',
  'a b',
  'ä',
  '☃',
  'a/b',
  '../x',
  '..',
  '.',
  '-x',
  'a\u0000b',
  'a\nb',
  '%2e',
  "a'b",
  'a"b',
  'a;b',
  '<x>',
  '$(x)',
  'x'.repeat(64),
  '\u202Ex',
  '__proto__',
  'constructor/x',
]

faultTest(
  'names with odd characters are refused by name, wherever a name goes',
  () => server,
  async () => {
    for (const name of NAMES) {
      const where = JSON.stringify(name)
      const segment = encodeURIComponent(name)
      const target = { app: 'default', function: 'neighbour', path: '/odd' }
      const answers = {
        app: await server.api('POST', '/v1/apps', { name }),
        function: await server.tryDeploy(name, { 'index.mjs': 'export default () => "x"' }),
        trigger: await server.api('POST', '/v1/triggers', { name, ...target }),
        secret: await server.api('PUT', `/v1/secrets/${segment}`, { value: 'x' }),
        alias: await server.api('PUT', `/v1/apps/default/functions/neighbour/aliases/${segment}`, {
          targets: [{ version: 1, weight: 100 }],
        }),
        project: await server.api('POST', '/v1/projects', { name }),
      }
      for (const [thing, answer] of Object.entries(answers)) {
        assert.ok(
          [400, 404, 405].includes(answer.status),
          `${thing} ${where}: ${answer.status} ${answer.text}`,
        )
        assert.match(String(answer.headers.get('content-type')), /problem\+json/, `${thing} ${where}`)
        assert.ok(answer.json.code !== undefined, `${thing} ${where}`)
      }
    }
  },
)

faultTest(
  'odd paths and headers are refused or passed on, and never break the router',
  () => server,
  async () => {
    for (const path of [
      '/%',
      '/%zz',
      '/%00',
      '/default/default/../neighbour',
      '/default/default/%2e%2e/x',
      '//x',
      '/\\x',
      '/☃',
    ])
      assert.ok([400, 404].includes(await rawStatus(`GET ${path} HTTP/1.1\r\nhost: x\r\n`)), path)
    for (const field of [
      'x y: z',
      'x\u0001: z',
      ': z',
      'x: a\u0000b',
      ' folded: z',
      'content-length: -1',
      'content-length: 1\r\ncontent-length: 2',
      'transfer-encoding: odd',
    ])
      assert.ok(
        [400, 501].includes(
          await rawStatus(`GET /default/default/neighbour HTTP/1.1\r\nhost: x\r\n${field}\r\n`),
        ),
        JSON.stringify(field),
      )
    assert.equal(
      await rawStatus(`GET /default/default/neighbour HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n`),
      431,
    )
    assert.equal(await rawStatus(`GET /${'y'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n`), 414)
  },
)

async function rawStatus(head: string): Promise<number> {
  const { hostname, port } = new URL(server.routerUrl)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.write(`${head}connection: close\r\n\r\n`)
  for (let tries = 0; tries < 1_000 && !/^HTTP\/1\.1 \d{3}/.test(text); tries++) await sleep(10)
  socket.destroy()
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
}
