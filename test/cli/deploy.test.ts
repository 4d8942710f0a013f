import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { unpackTar } from 'modern-tar'
import {
  type Answer,
  atelier,
  folderWith,
  freshHome,
  json,
  ndjson,
  playApi,
  problem,
  type Seen,
} from './fixture.ts'

const DEPLOY = 'POST /v1/apps/default/functions/hello/deploy'

const result = {
  kind: 'result',
  function: { name: 'hello', appName: 'default' },
  version: { number: 3 },
  created: true,
  url: 'http://127.0.0.1:1882/default/default/hello',
}

interface Sent {
  readonly settings: Record<string, unknown>
  readonly fileName: string
  readonly content: Buffer
}

/** The two parts of a deploy's body. */
function parts(seen: Seen): Sent {
  const boundary = /boundary=(\S+)$/.exec(seen.headers['content-type']!)![1]!
  const [, settings, file] = seen.body.split(`--${boundary}`)
  const [head, content] = [
    file!.slice(0, file!.indexOf('\r\n\r\n')),
    file!.slice(file!.indexOf('\r\n\r\n') + 4, -2),
  ]
  return {
    settings: JSON.parse(settings!.slice(settings!.indexOf('\r\n\r\n'))) as Record<string, unknown>,
    fileName: /filename="([^"]*)"/.exec(head)![1]!,
    content: Buffer.from(content, 'latin1'),
  }
}

async function namesIn(sent: Sent): Promise<string[]> {
  return (await unpackTar(gunzipSync(sent.content))).map(entry => entry.header.name).sort()
}

async function deployed(
  t: Parameters<typeof freshHome>[0],
  files: Record<string, string>,
  args: readonly string[] = [],
  answer: Answer = ndjson(result),
) {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', files)
  const { url, seen } = await playApi(t, { [DEPLOY]: answer })
  const outcome = await atelier(home, ['deploy', folder, '--url', url, '--token', 't', ...args])
  return { home, folder, url, seen, outcome }
}

test('a folder is sent as tar.gz under its own name, without what belongs to this machine', async t => {
  const { outcome, seen } = await deployed(t, {
    'index.mjs': 'export default () => "hi"',
    'lib/a.js': '1',
    'node_modules/x/index.js': '1',
    'lib/node_modules/y.js': '1',
    '.git/config': '1',
    '.env': 'PASSWORD=1',
    'notes.txt': '1',
    'keep.txt': '1',
    '.atelierignore': '# texts\n*.txt\n!keep.txt\n',
  })
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.equal(outcome.stdout, `${result.url}\n`)
  const sent = parts(seen[0]!)
  assert.deepEqual(await namesIn(sent), ['index.mjs', 'keep.txt', 'lib/a.js'])
  assert.equal(sent.fileName, 'source.tar.gz')
  assert.equal(seen[0]!.headers.accept, 'application/x-ndjson')
})

test('with -o json the answer is one object that holds the URL, and progress stays on stderr', async t => {
  const events = [
    { kind: 'stage', stage: 'dependencies', detail: 'npm ci' },
    { kind: 'log', stream: 'stdout', text: 'added 3 packages\n' },
    { kind: 'warning', text: 'no lock file' },
    result,
  ]
  const { outcome } = await deployed(t, { 'index.mjs': '1' }, ['-o', 'json'], ndjson(...events))
  assert.equal(JSON.parse(outcome.stdout).url, result.url)
  assert.match(outcome.stderr, /dependencies: npm ci/)
  assert.match(outcome.stderr, /added 3 packages/)
  assert.match(outcome.stderr, /warning: no lock file/)
})

test('options win over the manifest, configuration is merged and secrets are joined', async t => {
  const manifest = {
    name: 'hello',
    description: 'old',
    config: { A: '1', B: '1' },
    secrets: ['S1'],
    limits: { memoryMiB: 64, concurrency: 2 },
    access: 'public',
  }
  const variables = '# of this stage\nB=3\nD="two words"\n'
  const { outcome, seen } = await deployed(
    t,
    { 'index.mjs': '1', 'atelier.json': JSON.stringify(manifest), '.env.stage': variables },
    [
      '--env-file',
      'hello/.env.stage',
      '--config',
      'B=2',
      '--config',
      'C=a=b',
      '--secret',
      'S2',
      '--memory',
      '1Gi',
      '--timeout',
      '2m',
      '--cpu',
      '0.5',
      '--min',
      '1',
      '-m',
      'new',
      '--private',
      '--publish-only',
    ],
  )
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.deepEqual(parts(seen[0]!).settings, {
    description: 'new',
    access: 'private',
    config: { A: '1', B: '2', C: 'a=b', D: 'two words' },
    secrets: ['S1', 'S2'],
    limits: { memoryMiB: 1024, concurrency: 2, timeoutMs: 120_000, cpuMillicores: 500 },
    scaling: { instancesMin: 1 },
    publishOnly: true,
  })
})

test('a single file is sent as it is and names the function', async t => {
  const home = await freshHome(t)
  await writeFile(join(home, 'hello.mjs'), 'export default () => 1')
  const { url, seen } = await playApi(t, { [DEPLOY]: ndjson(result) })
  const outcome = await atelier(home, ['deploy', 'hello.mjs', '--url', url, '--token', 't'])
  assert.equal(outcome.code, 0, outcome.stderr)
  const sent = parts(seen[0]!)
  assert.equal(sent.fileName, 'hello.mjs')
  assert.equal(sent.content.toString(), 'export default () => 1')
})

test('a broken manifest is refused with file, line and field before anything is sent', async t => {
  const text =
    '{\n  "name": "hello",\n  "limits": {\n    "memoryMib": 3\n  },\n  "access": "open",\n  "config": { "PORT": 8080 }\n}'
  const { outcome, seen } = await deployed(t, { 'index.mjs': '1', 'atelier.json': text })
  assert.equal(outcome.code, 2)
  assert.match(
    outcome.stderr,
    /atelier\.json:4: limits\.memoryMib is not a field; did you mean "memoryMiB"\?/,
  )
  assert.match(outcome.stderr, /atelier\.json:6: access must be "public" or "private"/)
  assert.match(outcome.stderr, /atelier\.json:7: config\.PORT must be text/)
  assert.equal(seen.length, 0)
})

test('JSON with a missing comma is refused with its line', async t => {
  const { outcome } = await deployed(t, { 'atelier.json': '{\n  "name": "hello"\n  "app": "x"\n}' })
  assert.equal(outcome.code, 2)
  assert.match(outcome.stderr, /atelier\.json:3: this is not valid JSON/)
})

test('a change of a route takes away what is asked to go, and never what it sets', async t => {
  const home = await freshHome(t)
  const { url, seen } = await playApi(t, { 'PATCH /v1/triggers/old': json({ name: 'old' }) })
  const update = (...options: string[]) =>
    atelier(home, ['trigger', 'update', 'old', ...options, '--url', url, '--token', 't'])
  const changed = await update('--default-access', '--without-cors', '--path', '/x')
  assert.equal(changed.code, 0, changed.stderr)
  assert.deepEqual(JSON.parse(seen.at(-1)!.body), { path: '/x', access: null, cors: null })
  assert.equal((await update('--any-host', '--any-method')).code, 0)
  assert.deepEqual(JSON.parse(seen.at(-1)!.body), { host: null, methods: null })
  const both = await update('--public', '--default-access')
  assert.equal(both.code, 2)
  assert.match(both.stderr, /--default-access takes away what another option sets/)
  assert.equal(seen.length, 2)
})

test('quotas are shown with their use, and a change leaves the others as they are', async t => {
  const home = await freshHome(t)
  const quotas = {
    functions: { limit: 50, used: 3, isDefault: false },
    versions: { limit: 200, used: 9, isDefault: true },
    triggers: { limit: 7, used: 1, isDefault: false },
    storageBytes: { limit: 5 * 1024 ** 3, used: 2048, isDefault: true },
    memoryMiB: { used: 0, isDefault: true },
    concurrency: { used: 0, isDefault: true },
    callsPerMinute: { isDefault: true },
    queuedCalls: { limit: 10, used: 0, isDefault: true },
    queuedBytes: { limit: 10, used: 0, isDefault: true },
  }
  const { url, seen } = await playApi(t, {
    'GET /v1/projects/shop/quota': json({ project: 'shop', quotas, revision: 4 }),
    'PUT /v1/projects/shop/quota': json({ project: 'shop', quotas, revision: 5 }),
  })
  const quota = (...args: string[]) => atelier(home, ['quota', ...args, '--url', url, '--token', 't'])
  const shown = await quota('show', 'shop')
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /storage +2 KiB +5 GiB +by default/)
  assert.match(shown.stdout, /concurrency +0 +none/)
  const changed = await quota('set', 'shop', '--storage', '1.5Gi', '--triggers', 'default', '--memory', '4Gi')
  assert.equal(changed.code, 0, changed.stderr)
  assert.deepEqual(JSON.parse(seen.at(-1)!.body), {
    functions: 50,
    storageBytes: 1.5 * 1024 ** 3,
    memoryMiB: 4096,
  })
  assert.equal(seen.at(-1)!.headers['if-match'], '"4"')
  assert.equal((await quota('set', 'shop', '--memory', '512')).code, 0)
  assert.equal(JSON.parse(seen.at(-1)!.body).memoryMiB, 512)
  assert.match(
    (await quota('set', 'shop', '--functions', 'many')).stderr,
    /neither a whole number nor "default"/,
  )
})

test('a manifest in YAML is read, and its triggers are made or brought up to date', async t => {
  const home = await freshHome(t)
  const yaml =
    'name: hello\nsecrets: [A]\ntriggers:\n  - { name: new, path: /new }\n  - { name: old, path: "/old/*", stripPrefix: true }\n'
  const folder = await folderWith(home, 'anything', { 'index.mjs': '1', 'atelier.yaml': yaml })
  const { url, seen } = await playApi(t, {
    [DEPLOY]: ndjson(result),
    'POST /v1/triggers': json({}, 201),
    'GET /v1/triggers/old': json({ name: 'old', kind: 'http', app: 'default', function: 'hello' }),
    'PATCH /v1/triggers/old': json({}),
  })
  const outcome = await atelier(home, ['deploy', folder, '--url', url, '--token', 't'])
  assert.equal(outcome.code, 0, outcome.stderr)
  const writes = seen
    .filter(one => one.method !== 'GET' && one.path.includes('triggers'))
    .map(one => [one.method, one.path, JSON.parse(one.body)])
  assert.deepEqual(writes, [
    ['POST', '/v1/triggers', { name: 'new', path: '/new', app: 'default', function: 'hello' }],
    [
      'PATCH',
      '/v1/triggers/old',
      { path: '/old/*', host: null, methods: null, access: null, cors: null, stripPrefix: true },
    ],
  ])
})

test('a missing folder, an empty one, and a name that is none are refused before anything is sent', async t => {
  const home = await freshHome(t)
  const empty = await folderWith(home, 'empty', {})
  const missing = await atelier(home, ['deploy', 'nowhere'])
  assert.equal(missing.code, 3)
  assert.match(missing.stderr, /nowhere does not exist/)
  const nothing = await atelier(home, ['deploy', empty, '--url', 'http://127.0.0.1:1', '--token', 't'])
  assert.equal(nothing.code, 2)
  assert.match(nothing.stderr, /has no files to deploy/)
  const name = await atelier(home, ['deploy', empty, '--name', '../x'])
  assert.equal(name.code, 2)
  assert.match(name.stderr, /function "\.\.\/x" is not a name/)
})

test('a link that leads out of the folder is refused, and one within is followed', async t => {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', { 'real.txt': 'inside' })
  await symlink('real.txt', join(folder, 'link.txt'))
  const { url, seen } = await playApi(t, { [DEPLOY]: ndjson(result) })
  const inside = await atelier(home, ['deploy', folder, '--url', url, '--token', 't'])
  assert.equal(inside.code, 0, inside.stderr)
  assert.deepEqual(await namesIn(parts(seen[0]!)), ['link.txt', 'real.txt'])
  await symlink('/etc/passwd', join(folder, 'passwd'))
  const outside = await atelier(home, ['deploy', folder, '--url', url, '--token', 't'])
  assert.equal(outside.code, 2)
  assert.match(outside.stderr, /passwd is a link to \/etc\/passwd, outside the folder/)
  assert.equal(seen.length, 1)
})

test('a failed build shows its log and why, with exit code 1', async t => {
  const events = [
    { kind: 'stage', stage: 'dependencies', detail: 'npm ci' },
    { kind: 'log', stream: 'stderr', text: 'npm error 404 no-such-package\n' },
    {
      kind: 'error',
      problem: {
        status: 422,
        title: 'The build failed',
        detail: 'npm ci ended with 1; version 2 stays live.',
      },
    },
  ]
  const { outcome } = await deployed(t, { 'index.mjs': '1' }, [], ndjson(...events))
  assert.equal(outcome.code, 1)
  assert.equal(outcome.stdout, '')
  assert.match(outcome.stderr, /404 no-such-package/)
  assert.match(outcome.stderr, /error: npm ci ended with 1; version 2 stays live\./)
})

test('a refusal before the body is read reaches the user as it is', async t => {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', { 'big.bin': 'x'.repeat(4_000_000) })
  const { createServer } = await import('node:http')
  const server = createServer((_, response) =>
    problem(413, 'The package is larger than 1 MiB.')({} as Seen, response, _),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address() as { port: number }
  const outcome = await atelier(home, [
    'deploy',
    folder,
    '--url',
    `http://127.0.0.1:${address.port}`,
    '--token',
    't',
  ])
  assert.match(outcome.stderr, /error: The package is larger than 1 MiB\./)
  assert.equal(outcome.code, 1)
})

test('Ctrl-C ends the request, so that the server can cancel, and is exit code 130', async t => {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', { 'index.mjs': '1' })
  const gone = Promise.withResolvers<void>()
  let interrupt: () => void = () => undefined
  const { url } = await playApi(t, {
    [DEPLOY]: (_, response) => {
      response.on('close', gone.resolve)
      response.writeHead(200, { 'content-type': 'application/x-ndjson' })
      response.write(`${JSON.stringify({ kind: 'stage', stage: 'dependencies', detail: 'npm ci' })}\n`)
      setTimeout(() => interrupt(), 100)
    },
  })
  const outcome = await atelier(home, ['deploy', folder, '--url', url, '--token', 't'], {
    during: child => (interrupt = () => child.kill('SIGINT')),
  })
  await gone.promise
  assert.equal(outcome.code, 130)
  assert.match(outcome.stderr, /cancelled; what was live stays live/)
})

test('a folder with both manifests is refused', async t => {
  const home = await freshHome(t)
  const folder = await folderWith(home, 'hello', { 'atelier.json': '{}', 'atelier.yaml': '' })
  await mkdir(join(folder, 'x'))
  const outcome = await atelier(home, ['deploy', folder])
  assert.equal(outcome.code, 2)
  assert.match(outcome.stderr, /has both atelier\.json and atelier\.yaml/)
})
