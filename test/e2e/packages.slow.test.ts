import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Version } from '../../src/core/index.ts'
import { ServerProcess } from '../support/server-process.ts'

const HELLO = `export default () => 'hello'`

let server: ServerProcess
let folder: string
before(async () => {
  server = await ServerProcess.start()
  folder = mkdtempSync(join(tmpdir(), 'atelier-packages-'))
  write('source/index.mjs', HELLO)
})
after(async () => {
  await server?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

test('a folder, a file and each kind of archive of the same code are the same package, built once', async t => {
  const archives: [string, string[]][] = [
    ['code.tar', ['tar', '-cf', '../code.tar', '.']],
    ['code.tar.gz', ['tar', '-czf', '../code.tar.gz', '.']],
  ]
  if (spawnSync('zip', ['-v']).status === 0) archives.push(['code.zip', ['zip', '-qr', '../code.zip', '.']])
  else t.diagnostic('zip is not installed: no zip archive is tried')
  for (const [, [program, ...args]] of archives) execFileSync(program!, args, { cwd: join(folder, 'source') })
  const digests = new Set<string>()
  for (const [n, source] of ['source', 'source/index.mjs', ...archives.map(([name]) => name)].entries()) {
    const { code, stdout, stderr } = await server.cli(
      'deploy',
      join(folder, source),
      '--name',
      `from-${n}`,
      '-o',
      'json',
    )
    assert.equal(code, 0, `${source}: ${stderr}`)
    digests.add((JSON.parse(stdout) as { version: Version }).version.spec.packageDigest)
    if (n > 0) assert.match(stderr, /was built before/)
    assert.equal((await server.cli('invoke', `from-${n}`)).stdout, 'hello')
  }
  assert.deepEqual([digests.size, [...digests][0]?.startsWith('sha256:')], [1, true])
})

const CONVENTIONS: readonly [string, string, string, string][] = [
  ['CommonJS', 'common.cjs', `module.exports = () => 'common'`, 'common'],
  [
    'TypeScript',
    'typed.ts',
    `const n: number = 4\nexport default (request: Request): string => \`typed \${n}\``,
    'typed 4',
  ],
  [
    'Lambda',
    'lambda.mjs',
    `export const handler = async event => ({ statusCode: 200, body: event.rawPath })`,
    '/some/path',
  ],
  [
    'Fission',
    'fission.cjs',
    `module.exports = async context => ({ status: 200, body: context.request.method })`,
    'GET',
  ],
  [
    'functions-framework',
    'http.mjs',
    `export const hello = (req, res) => res.status(200).send(req.path)`,
    '/some/path',
  ],
  [
    'WSGI',
    'wsgi.py',
    `def application(environ, start_response):\n    start_response("200 OK", [])\n    return [environ["PATH_INFO"].encode()]\n`,
    '/some/path',
  ],
  [
    'an async Python function',
    'later.py',
    `import asyncio\nasync def handler(request):\n    await asyncio.sleep(0.01)\n    return request.path\n`,
    '/some/path',
  ],
]
for (const [convention, name, code, expected] of CONVENTIONS)
  test(`${convention} in a single file is deployed and answers`, async () => {
    write(name, code)
    const deployed = await server.cli('deploy', join(folder, name), '--name', name.replace('.', '-'))
    assert.equal(deployed.code, 0, deployed.stderr)
    const { stdout, stderr } = await server.cli('invoke', name.replace('.', '-'), '--path', '/some/path')
    assert.equal(stdout, expected, stderr)
  })

test('dependencies are installed once for one lock file, and the log of the build can be read later', {
  skip: offline(),
}, async () => {
  const needs = {
    'requirements.txt': 'six==1.17.0\n',
    'main.py': 'import six\ndef handler():\n    return six.__version__\n',
  }
  const first = await server.tryDeploy('needs', needs)
  if (first.status === 422) assert.doesNotMatch(first.text, /pip is not installed/)
  assert.equal(first.status, 201, first.text)
  assert.equal((await server.call('needs')).text, '1.17.0')
  const again = await server.tryDeploy('needs', { ...needs, 'main.py': `${needs['main.py']}# changed\n` })
  assert.equal(again.status, 201, again.text)
  assert.equal((await server.call('needs')).text, '1.17.0')
  const logs = await Promise.all(
    [first, again].map(async answer => {
      const { packageDigest } = (answer.json.version as Version).spec
      return (await server.cli('package', 'show', packageDigest, '--build-log')).stdout
    }),
  )
  assert.match(logs[0]!, /Successfully installed six/)
  assert.doesNotMatch(logs[1]!, /Successfully installed/)
})

test('a build that fails leaves its log, and the live version', { skip: offline() }, async () => {
  await server.deploy('steady', { 'index.mjs': HELLO })
  const failed = await server.tryDeploy('steady', {
    'index.mjs': HELLO,
    'package.json': JSON.stringify({ dependencies: { 'left-pad': '99.99.99' } }),
  })
  assert.equal(failed.status, 422)
  assert.match(failed.json.detail, /left-pad/)
  assert.equal((await server.call('steady')).text, 'hello')
})

test('every template deploys as it is and does what its page says', async () => {
  const { stdout } = await server.cli('init', '--list', '-o', 'json')
  const names = [...stdout.matchAll(/"name": "([^"]+)"/g)].map(match => match[1]!)
  assert.ok(names.length >= 5, stdout)
  for (const name of names) {
    const place = join(folder, 'templates', name)
    assert.equal((await server.cli('init', name, place)).code, 0)
    const deployed = await server.cli('deploy', place)
    assert.equal(deployed.code, 0, deployed.stderr)
    const page = readFileSync(join(place, 'README.md'), 'utf8')
    const commands = [...page.matchAll(/^atelier (invoke .*)$/gm)].map(match => match[1]!)
    assert.ok(commands.length > 0, name)
    for (const command of commands) {
      const words = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
        match => match[1] ?? match[2] ?? match[3]!,
      )
      const args = words.map(word => (word.startsWith('@') ? `@${join(place, word.slice(1))}` : word))
      const { code, stderr } = await server.cli(...args)
      assert.equal(code, 0, `atelier ${command}: ${stderr}`)
    }
  }
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** Whether this machine cannot install from the registries. */
function offline(): string | false {
  const asked = spawnSync('npm', ['view', 'left-pad', 'version'], { timeout: 20_000 })
  return asked.status !== 0 && 'the registries cannot be reached'
}
