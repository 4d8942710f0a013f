import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { asking, atelier, json, playApi, problem } from './fixture.ts'

// What somebody who knows one command expects of the next: the same words mean the same everywhere.

const HELLO = '/v1/apps/default/functions/hello'
const RESULT = '/v1/async-invocations/c1/result'
const DIGEST = `sha256:${'ab12cd'.repeat(10)}abcd`

test('--data takes a text, @FILE and stdin, whatever the command', async t => {
  const { home, seen, run } = await asking(t, {
    'POST /v1/topics/orders/messages': json({ positions: [1] }, 201),
    'POST /v1/triggers/nightly/fire': json({ id: 'c1' }, 202),
  })
  await writeFile(join(home, 'event.json'), '{"a":1}')
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x31])
  for (const [args, stdin] of [
    [['topic', 'publish', 'orders', '-d', '@event.json'], ''],
    [['topic', 'publish', 'orders', '-d', '-'], '{"a":1}'],
    [['trigger', 'fire', 'nightly', '-d', '@event.json'], ''],
    [['trigger', 'fire', 'nightly', '--data', '-'], '{"a":1}'],
    [['trigger', 'fire', 'nightly', '--data', '{"a":1}'], ''],
  ] as const) {
    const { code, stderr } = await run(args, { stdin })
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    assert.deepEqual(JSON.parse(seen.at(-1)!.body), { a: 1 })
  }
  assert.equal((await run(['topic', 'publish', 'orders'], { stdin: bytes })).code, 0)
  assert.deepEqual(Buffer.from(seen.at(-1)!.body, 'latin1'), bytes)
})

test('-o json shows the answer of a call in one shape, with base64 for what is no text', async t => {
  const bytes = Buffer.from([0xff, 0xd8, 0xff, 0x00])
  const { run } = await asking(t, {
    [`POST ${HELLO}/invoke`]: (_, response) =>
      response.writeHead(200, { 'atelier-invocation-id': 'c1' }).end(bytes),
    [`GET ${RESULT}`]: (_, response) => response.writeHead(200, { 'atelier-result-status': '503' }).end('no'),
  })
  const called = JSON.parse((await run(['invoke', 'hello', '-d', 'x', '-o', 'json'])).stdout)
  assert.deepEqual(Buffer.from(called.bodyBase64, 'base64'), bytes)
  assert.ok(!('body' in called))
  const { code, stdout } = await run(['async', 'result', 'c1', '-o', 'json'])
  assert.equal(code, 1)
  const { status, invocationId, body } = JSON.parse(stdout)
  assert.deepEqual({ status, invocationId, body }, { status: 503, invocationId: 'c1', body: 'no' })
})

test('a package is named by the beginning of its digest', async t => {
  const one = { digest: DIGEST, sizeBytes: 3, fileName: 'a.tar', createdAt: '2030-01-01T00:00:00.000Z' }
  const other = { ...one, digest: DIGEST.replace(/..$/, 'ff') }
  const { run } = await asking(t, {
    'GET /v1/packages': json({ items: [one, { ...one, digest: `sha256:${'f'.repeat(64)}` }] }),
    [`GET /v1/packages/${DIGEST}`]: json(one),
  })
  for (const name of [DIGEST.slice(0, 19), 'ab12cd'])
    assert.match((await run(['package', 'show', name])).stdout, new RegExp(DIGEST))
  const none = await run(['package', 'show', 'sha256:000000'])
  assert.equal(none.code, 3)
  assert.match(none.stderr, /there is no package sha256:000000[^]*package list/)
  assert.equal((await run(['package', 'show', 'latest'])).code, 2)

  const two = await asking(t, { 'GET /v1/packages': json({ items: [one, other] }) })
  assert.match((await two.run(['package', 'show', 'ab12cd'])).stderr, /ab12cd begins 2 digests/)
})

test('triggers of a function are listed by APP/NAME, and a quota is shown of the own project', async t => {
  const { seen, run } = await asking(t, {
    'GET /v1/triggers': json({ items: [] }),
    'GET /v1/whoami': json({ user: 'ada', project: 'shop', roles: [] }),
    'GET /v1/projects/shop/quota': json({ project: 'shop', quotas: {}, revision: 1 }),
  })
  await run(['trigger', 'list', '--function', 'shop/thumb'])
  assert.match(seen.at(-1)!.query.toString(), /^app=shop&function=thumb\b/)
  const { code, stderr } = await run(['quota', 'show', '-o', 'json'])
  assert.equal(code, 0, stderr)
})

test('a configuration that is refused says where its fields are described', async t => {
  const { run } = await asking(t, {
    'POST /v1/triggers': problem(400, 'config.signature is missing.'),
  })
  const { code, stderr } = await run(['trigger', 'create', 'x', 'hello', '--kind', 'webhook'])
  assert.equal(code, 2)
  assert.match(stderr, /config\.signature is missing[^]*atelier trigger kinds webhook/)
})

test('a method that is none and a file that is not there are told as such', async t => {
  const { seen, run } = await asking(t, {})
  const method = await run(['invoke', 'hello', '-X', 'B AD'])
  assert.equal(method.code, 2)
  assert.match(method.stderr, /--method "B AD" is not an HTTP method/)
  const file = await run(['invoke', 'hello', '-d', '@none.json'])
  assert.equal(file.code, 3)
  assert.match(file.stderr, /none\.json does not exist/)
  assert.match((await run(['deploy', '/none'])).stderr, /error: \/none does not exist/)
  assert.equal(seen.length, 0)
})

test('an address of the other scheme, and a format that is none, are told as such', async t => {
  const { home, run } = await asking(t, { 'GET /v1/status': json({}) })
  const { url } = await playApi(t, {})
  const env = { ATELIER_URL: url.replace('http:', 'https:'), ATELIER_TOKEN: 't' }
  const secure = await atelier(home, ['status'], { env })
  assert.equal(secure.code, 5)
  assert.match(secure.stderr, /it does not speak TLS\nhint: Is the URL http:\/\/127/)
  const format = await run(['status'], { env: { ATELIER_OUTPUT: 'xml' } })
  assert.equal(format.code, 2)
  assert.match(format.stderr, /ATELIER_OUTPUT "xml" is not one of table, json, yaml/)
})

test('a quota has one name in every command, and a new project takes what it is given', async t => {
  const { seen, run } = await asking(t, { 'POST /v1/projects': json({ name: 'shop' }, 201) })
  const created = await run(['project', 'create', 'shop', '--functions', '50', '--storage', '5Gi'])
  assert.equal(created.code, 0, created.stderr)
  assert.deepEqual(JSON.parse(seen[0]!.body), {
    name: 'shop',
    quota: { functions: 50, storageBytes: 5 * 1024 ** 3 },
  })
  assert.equal((await run(['project', 'update', 'shop', '--functions', '60'])).code, 2)
})

test('what a trigger was given and also says of itself is shown once', async t => {
  const { run } = await asking(t, {
    'GET /v1/triggers/nightly': json({
      name: 'nightly',
      kind: 'schedule',
      app: 'default',
      function: 'hello',
      alias: 'live',
      config: { cron: '0 3 * * *', zone: 'Europe/Berlin' },
      secretsSet: [],
      status: {
        state: 'running',
        accepted: 0,
        filtered: 0,
        duplicates: 0,
        failed: 0,
        details: { schedule: '0 3 * * *', zone: 'Europe/Berlin' },
      },
    }),
  })
  const { code, stdout, stderr } = await run(['trigger', 'show', 'nightly'])
  assert.equal(code, 0, stderr)
  assert.equal(stdout.match(/Europe\/Berlin/g)?.length, 1, stdout)
})

test('environment variables given as --env are told their option', async t => {
  const { home, run } = await asking(t, {})
  await writeFile(join(home, 'hello.mjs'), '1')
  const { code, stderr } = await run(['deploy', 'hello.mjs', '--env', 'MODE=fast'])
  assert.equal(code, 2)
  assert.match(stderr, /--env names a language[^]*--config KEY=VALUE/)
})

test('a server with wrong settings ends with 2, so that nobody tries again', async t => {
  const { home, run } = await asking(t, {})
  const { code, stderr } = await run(['server', '--home', join(home, 'data'), '--port', 'nine'])
  assert.equal(code, 2)
  assert.match(stderr, /--port: /)
})

test('a name that is mistyped is answered with the one that is meant', async t => {
  const functions = json({
    items: [
      { name: 'hello', appName: 'default' },
      { name: 'thumbnail', appName: 'shop' },
    ],
  })
  const none = problem(404, 'There is no such thing.')
  const { seen, run } = await asking(t, {
    'GET /v1/functions': functions,
    'GET /v1/triggers': json({ items: [{ name: 'nightly' }] }),
    'GET /v1/apps/default/functions/helo/logs': none,
    'GET /v1/apps/default/functions/thumbnail': none,
    [`GET ${HELLO}/versions/9`]: none,
    'DELETE /v1/triggers/nigtly': none,
    'GET /v1/secrets': json({ items: [{ name: 'KEY' }, { name: 'TLS' }] }),
    'DELETE /v1/secrets/KYE': none,
  })
  assert.match((await run(['logs', 'helo'])).stderr, /Did you mean default\/hello\? "atelier function list"/)
  assert.match((await run(['function', 'show', 'thumbnail'])).stderr, /Did you mean shop\/thumbnail\?/)
  assert.match((await run(['secret', 'delete', 'KYE'])).stderr, /Did you mean KEY\?/)
  const typo = await run(['trigger', 'delete', 'nigtly'])
  assert.equal(typo.code, 3)
  assert.match(typo.stderr, /Did you mean nightly\?/)
  const version = await run(['version', 'show', 'hello', '9'])
  assert.equal(version.code, 3)
  assert.match(version.stderr, /hint: "atelier version list default\/hello" shows its versions/)
  assert.ok(seen.every(each => each.method !== 'POST'))
})

test('the fields of a kind of trigger are shown, inner ones by the name they are given by', async t => {
  const schema = {
    required: ['signature'],
    properties: {
      signature: { enum: ['github', 'none'], description: 'Who signs.' },
      hmac: { type: 'object', properties: { header: { type: 'string', description: 'Where it is.' } } },
    },
  }
  const { run } = await asking(t, {
    'GET /v1/trigger-kinds': json({ items: [{ kind: 'webhook', summary: 'A secret URL.', schema }] }),
  })
  const { code, stdout, stderr } = await run(['trigger', 'kinds', 'webhook'])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /signature +needed: github \| none +Who signs\.\nhmac\.header +string +Where it is\./)
  assert.match((await run(['trigger', 'kinds', 'webhok'])).stderr, /Did you mean webhook\?/)
})

test('a list of triggers tells those of one kind apart', async t => {
  const event = { app: 'default', function: 'hello', alias: 'live', status: { state: 'active' } }
  const { run } = await asking(t, {
    'GET /v1/triggers': json({
      items: [
        { ...event, name: 'gh', kind: 'webhook', config: { signature: 'github' } },
        { ...event, name: 'orders', kind: 'queue', config: { source: 'nats', subject: 'orders.>' } },
        {
          ...event,
          name: 'tick',
          kind: 'schedule',
          config: {},
          status: { details: { schedule: '@hourly' } },
        },
      ],
    }),
  })
  const { code, stdout, stderr } = await run(['trigger', 'list'])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /gh +webhook +github +default/)
  assert.match(stdout, /orders +queue +nats orders\.> +default/)
  assert.match(stdout, /tick +schedule +@hourly +default/)
})

test('a route may be called by its kind', async t => {
  const { seen, run } = await asking(t, {
    'POST /v1/triggers': json({ name: 'hi', url: 'http://x/hi' }, 201),
  })
  const { code, stderr } = await run(['trigger', 'create', 'hi', 'hello', '--kind', 'http', '--path', '/hi'])
  assert.equal(code, 0, stderr)
  assert.deepEqual(JSON.parse(seen[0]!.body), { name: 'hi', app: 'default', function: 'hello', path: '/hi' })
})
