import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Answer, asking, json, ndjson, problem } from './fixture.ts'

const HELLO = '/v1/apps/default/functions/hello'

const echo: Answer = (seen, response) =>
  response
    .writeHead(200, { 'content-type': 'text/plain', 'atelier-invocation-id': 'inv1' })
    .end(Buffer.from(seen.body, 'latin1'))

test('invoke sends text, files and stdin with fitting method and type, and prints what comes back byte by byte', async t => {
  const { home, seen, run } = await asking(t, {
    [`POST ${HELLO}/invoke`]: echo,
    [`GET ${HELLO}/invoke`]: echo,
  })
  assert.equal((await run(['invoke', 'hello', '-d', '{"a":1}'])).stdout, '{"a":1}')
  assert.equal(seen.at(-1)!.headers['content-type'], 'application/json')
  await writeFile(join(home, 'photo.bin'), Buffer.from([0xc3, 0xa9, 0x0a]))
  assert.equal((await run(['invoke', 'hello', '-d', '@photo.bin'])).stdout, 'é\n')
  assert.equal((await run(['invoke', 'hello', '-d', '-'], { stdin: 'from stdin' })).stdout, 'from stdin')
  assert.equal((await run(['invoke', 'hello'])).code, 0)
  assert.deepEqual(
    seen.map(one => one.method),
    ['POST', 'POST', 'POST', 'GET'],
  )
})

test('invoke passes path, query, method, headers and alias on', async t => {
  const { seen, run } = await asking(t, { 'DELETE /v1/apps/shop/functions/api/invoke/items/3': echo })
  const { code, stderr } = await run([
    'invoke',
    'shop/api:beta',
    '--path',
    '/items/3?deep=1',
    '-X',
    'delete',
    '-H',
    'X-One: 1',
    '-H',
    'x-one: 2',
  ])
  assert.equal(code, 0, stderr)
  const [one] = seen
  assert.equal(one!.query.get('deep'), '1')
  assert.equal(one!.query.get('qualifier'), 'beta')
  assert.equal(one!.headers['x-one'], '1, 2')
})

test('a function that answers 500 is printed, and is exit code 1 with the way to its log', async t => {
  const answer: Answer = (_, response) =>
    response.writeHead(500, { 'atelier-invocation-id': 'inv7' }).end('broken inside')
  const { run } = await asking(t, { [`GET ${HELLO}/invoke`]: answer })
  const { code, stdout, stderr } = await run(['invoke', 'hello'])
  assert.equal(code, 1)
  assert.equal(stdout, 'broken inside')
  assert.match(stderr, /answered 500.*atelier logs --invocation inv7/)
})

test("a refusal of the platform is told apart from the function's own problem document", async t => {
  const { run } = await asking(t, {
    [`GET ${HELLO}/invoke`]: problem(404, 'There is no function "default/hello".', {
      type: 'urn:atelier:problem:NOT_FOUND',
    }),
    'GET /v1/apps/default/functions/own/invoke': problem(404, 'no such note'),
  })
  const refused = await run(['invoke', 'hello'])
  assert.equal(refused.code, 3)
  assert.equal(refused.stdout, '')
  assert.match(refused.stderr, /error: There is no function/)
  const own = await run(['invoke', 'own'])
  assert.equal(own.code, 1)
  assert.match(own.stdout, /no such note/)
})

const line = {
  at: '2030-01-31T12:00:00.123Z',
  version: 3,
  instanceId: 'i',
  invocationId: '01jd8m3v5r0000000000abcdef',
  stream: 'stdout',
}

test('logs are printed line by line, and nothing in them can steer the terminal', async t => {
  const { seen, run } = await asking(t, {
    [`GET ${HELLO}/logs`]: ndjson({ ...line, text: 'one\n' }, { ...line, text: 'two \x1b[2Jthree' }),
  })
  const narrowed = ['--since', '2030-01-01', '--until', '2030-02-01', '--grep', 'two', '-n', '5']
  const { code, stdout } = await run(['logs', 'hello', ...narrowed])
  assert.equal(code, 0)
  assert.equal(
    stdout,
    '2030-01-31T12:00:00.123Z v3 abcdef one\n2030-01-31T12:00:00.123Z v3 abcdef two \\x1b[2Jthree\n',
  )
  assert.equal(seen[0]!.query.get('since'), '2030-01-01T00:00:00.000Z')
  assert.equal(seen[0]!.query.get('until'), '2030-02-01T00:00:00.000Z')
  assert.equal(seen[0]!.query.get('contains'), 'two')
  assert.equal(seen[0]!.query.get('limit'), '5')
})

test('logs -f goes on over a connection that is lost, without a line twice, until Ctrl-C', async t => {
  let connections = 0
  const answer: Answer = (_, response) => {
    connections++
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.write(`${JSON.stringify({ ...line, text: `from connection ${connections}` })}\n`, () => {
      if (connections === 1) response.destroy()
    })
  }
  const { seen, run } = await asking(t, { [`GET ${HELLO}/logs`]: answer })
  let said = ''
  const { code, stdout, stderr } = await run(['logs', 'hello', '-f'], {
    during: child =>
      child.stdout!.on('data', piece => {
        said += String(piece)
        if (said.includes('from connection 2')) child.kill('SIGINT')
      }),
  })
  assert.equal(code, 130)
  assert.match(stdout, /from connection 1\n.*from connection 2\n/)
  assert.match(stderr, /connection is lost; trying again/)
  assert.equal(seen[1]!.query.get('since'), '2030-01-31T12:00:00.124Z')
})

test('logs of one invocation find its function by themselves', async t => {
  const { seen, run } = await asking(t, {
    'GET /v1/invocations/inv1': json({ appName: 'shop', functionName: 'thumb' }),
    'GET /v1/apps/shop/functions/thumb/logs': ndjson({ ...line, text: 'x' }),
  })
  assert.equal((await run(['logs', '--invocation', 'inv1'])).code, 0)
  assert.equal(seen[1]!.query.get('invocation'), 'inv1')
})

test('calls are chosen by what caused them, and tell it', async t => {
  const one = { ...CALL, trigger: 'schedule', triggerName: 'nightly' }
  const { seen, run } = await asking(t, {
    'GET /v1/invocations': json({ items: [one, CALL] }),
    'GET /v1/invocations/inv1': json(one),
    'GET /v1/async-invocations': json({ items: [] }),
  })
  const { stdout } = await run(['invocation', 'list', '--trigger', 'schedule/nightly'])
  assert.match(stdout, /^ID +FUNCTION +WHEN +TRIGGER/)
  assert.match(stdout, / schedule\/nightly +ok/)
  assert.match(stdout, / http +ok/)
  assert.equal((await run(['async', 'list', '--trigger', 'queue'])).code, 0)
  const asked = seen.map(({ query }) => [query.get('trigger'), query.get('triggerName')])
  assert.deepEqual(asked, [
    ['schedule', 'nightly'],
    ['queue', null],
  ])
  assert.match((await run(['invocation', 'show', 'inv1'])).stdout, /trigger +schedule\/nightly\n/i)
  for (const wrong of ['/nightly', 'schedule/', 'a/b/c', '']) {
    const { code, stderr } = await run(['invocation', 'list', '--trigger', wrong])
    assert.equal(code, 2)
    assert.match(stderr, /--trigger takes a kind, or a kind and a name/)
  }
})

const CALL = {
  id: 'inv1',
  appName: 'shop',
  functionName: 'thumb',
  version: 1,
  trigger: 'http',
  status: 'ok',
  httpStatus: 200,
  cold: false,
  startedAt: '2030-01-01T00:00:00.000Z',
  queuedMs: 1,
  startingMs: 0,
  initialisingMs: 0,
  runningMs: 2,
  billedMs: 2,
  memoryMiB: 128,
  bytesIn: 0,
  bytesOut: 0,
}

test('a list gathers all pages, and prints what the API says with -o json or yaml', async t => {
  const one = {
    name: 'a',
    appName: 'default',
    access: 'public',
    latestVersion: 1,
    updatedAt: '2030-01-01T00:00:00.000Z',
    description: '',
  }
  const { run } = await asking(t, {
    'GET /v1/functions': (seen, response, request) =>
      json(seen.query.get('cursor') ? { items: [{ ...one, name: 'b' }] } : { items: [one], next: 'more' })(
        seen,
        response,
        request,
      ),
  })
  const { stdout } = await run(['functions', '-o', 'json'])
  assert.deepEqual(JSON.parse(stdout), { items: [one, { ...one, name: 'b' }] })
  assert.match((await run(['function', 'list', '-o', 'yaml'])).stdout, /^items:\n {2}- name: a\n/)
  assert.match((await run(['function', 'list'])).stdout, /^APP +NAME +ACCESS/)
})

test('a secret is read from stdin without its last line break, and is never printed', async t => {
  const { seen, run } = await asking(t, { 'PUT /v1/secrets/API_KEY': json({ name: 'API_KEY' }) })
  const { code, stdout, stderr } = await run(['secret', 'set', 'API_KEY'], { stdin: 'top secret\n' })
  assert.equal(code, 0, stderr)
  assert.deepEqual(JSON.parse(seen[0]!.body), { value: 'top secret' })
  assert.ok(!`${stdout}${stderr}`.includes('top secret'))
  assert.equal((await run(['secret', 'set', 'EMPTY'], { stdin: '' })).code, 2)
})

test('an alias is split by weights that must sum to 100', async t => {
  const { seen, run } = await asking(t, {
    [`PUT ${HELLO}/aliases/canary`]: json({ name: 'canary', targets: [] }),
  })
  assert.equal((await run(['alias', 'set', 'hello', 'canary', '3=90', '4=10'])).code, 0)
  assert.deepEqual(JSON.parse(seen[0]!.body), {
    targets: [
      { version: 3, weight: 90 },
      { version: 4, weight: 10 },
    ],
  })
  const wrong = await run(['alias', 'set', 'hello', 'canary', '3=90', '4=20'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /sum to 110/)
})

test('statuses of the API become the documented exit codes', async t => {
  const statuses = { 400: 2, 401: 4, 403: 4, 404: 3, 409: 6, 412: 6, 422: 1, 500: 1, 503: 1 }
  for (const [status, code] of Object.entries(statuses)) {
    const { run } = await asking(t, {
      'POST /v1/apps': problem(Number(status), `because of ${status}`, {
        errors: [
          { pointer: '/name', detail: 'is odd' },
          { pointer: '/config', detail: 'is odder' },
        ],
      }),
    })
    const outcome = await run(['app', 'create', 'x'])
    assert.equal(outcome.code, code, status)
    assert.match(
      outcome.stderr,
      new RegExp(`error: because of ${status}\n  /name: is odd\n  /config: is odder`),
    )
  }
})

test('the words that fit are completed: commands, options, choices, and names from the server', async t => {
  const { run } = await asking(t, {
    'GET /v1/functions': json({
      items: [
        { name: 'hello', appName: 'default' },
        { name: 'help', appName: 'shop' },
      ],
    }),
  })
  assert.equal((await run(['__complete', '--', 'dep'])).stdout, 'deploy\n')
  assert.equal((await run(['__complete', '--', 'function', 'sh'])).stdout, 'show\n')
  assert.equal((await run(['__complete', '--', 'deploy', '--mem'])).stdout, '--memory\n')
  assert.equal((await run(['__complete', '--', 'status', '-o', ''])).stdout, 'table\njson\nyaml\n')
  assert.equal((await run(['__complete', '--', 'invoke', 'he'])).stdout, 'hello\n')
  assert.equal((await run(['__complete', '--', 'logs', ''])).stdout, 'hello\nshop/help\n')
})

test('a reader that closes early ends the command without an error', async t => {
  const { run } = await asking(t, {
    [`GET ${HELLO}/logs`]: ndjson(
      ...Array.from({ length: 5000 }, () => ({ ...line, text: 'x'.repeat(200) })),
    ),
  })
  const { code, stderr } = await run(['logs', 'hello', '-n', '5000'], {
    during: child => child.stdout!.once('data', () => child.stdout!.destroy()),
  })
  assert.equal(code, 0)
  assert.equal(stderr, '')
})
