import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readRegistrySettings } from '../../src/builder/registry.ts'
import { asksForNothing, needsSources } from '../../src/builder/sources.ts'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
const KEY = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----'

test('proxies, mirrors and certificates are handed on; passwords, tokens and keys are not', async t => {
  const home = mkdtempSync(join(tmpdir(), 'atelier-home-'))
  t.after(() => rmSync(home, { recursive: true }))
  mkdirSync(join(home, '.config', 'pip'), { recursive: true })
  writeFileSync(
    join(home, '.config', 'pip', 'pip.conf'),
    '[global]\nindex-url = https://mirror.example/simple\nextra-index-url =\n  https://u:secret@private.example/simple\n[freeze]\ntimeout = 9\n',
  )
  mkdirSync(join(home, '.config', 'go'))
  writeFileSync(join(home, '.config', 'go', 'env'), 'GOPROXY=https://go.example/?tier=1\nGOPRIVATE=\n')
  writeFileSync(join(home, 'ca.pem'), `${KEY}\n${CERTIFICATE}\n`)
  writeFileSync(
    join(home, '.npmrc'),
    'registry=https://npm.example/\n//npm.example/:_authToken=hidden-token\n@org:registry=https://org.example/\n',
  )
  const settings = await readRegistrySettings({
    PATH: process.env['PATH'],
    HOME: home,
    HTTPS_PROXY: 'http://proxy.example:3128',
    HTTP_PROXY: 'http://user:secret@proxy.example:3128',
    NODE_EXTRA_CA_CERTS: join(home, 'ca.pem'),
    AWS_SECRET_ACCESS_KEY: 'secret',
  })
  const all = JSON.stringify(settings)
  assert.doesNotMatch(all, /secret(?!s)|hidden-token|PRIVATE KEY|c2VjcmV0/)
  assert.equal(all.includes(home), false)
  assert.equal(settings.env['HTTPS_PROXY'], 'http://proxy.example:3128')
  assert.equal(settings.env['PIP_INDEX_URL'], 'https://mirror.example/simple')
  assert.equal(settings.env['PIP_DEFAULT_TIMEOUT'], undefined)
  assert.equal(settings.env['GOPROXY'], 'https://go.example/?tier=1')
  assert.equal(settings.env['HTTP_PROXY'], undefined)
  assert.ok(settings.files['ca.pem']?.includes(CERTIFICATE))
  assert.equal(settings.env['PIP_CERT'], '/registry/ca.pem')
  const leftOut = settings.leftOut.join('\n')
  assert.match(leftOut, /^HTTP_PROXY: .*password/m)
  assert.match(leftOut, /^PIP_EXTRA_INDEX_URL: .*password/m)
})

test('npm itself reads the settings that are handed on, and a package may still have its own', async t => {
  try {
    execFileSync('npm', ['--version'])
  } catch {
    t.skip('npm is not installed')
    return
  }
  const home = mkdtempSync(join(tmpdir(), 'atelier-home-'))
  t.after(() => rmSync(home, { recursive: true }))
  writeFileSync(join(home, '.npmrc'), 'registry=https://npm.example/\n@org:registry=https://org.example/\n')
  const { files } = await readRegistrySettings({ PATH: process.env['PATH'], HOME: home })
  writeFileSync(join(home, 'handed'), files['npmrc'] ?? '')
  const folder = join(home, 'package')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{}')
  const ask = (key: string) =>
    execFileSync('npm', ['config', 'get', key], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder, npm_config_globalconfig: join(home, 'handed') },
    }).trim()
  assert.equal(ask('registry'), 'https://npm.example/')
  assert.equal(ask('@org:registry'), 'https://org.example/')
  writeFileSync(join(folder, '.npmrc'), 'registry=https://own.example/\n')
  assert.equal(ask('registry'), 'https://own.example/')
  assert.match(readFileSync(join(home, 'handed'), 'utf8'), /registry=/)
})

test('lock files that refer to the package itself are told from those that stand alone', () => {
  const alone: [string, string][] = [
    ['package.json', '{"dependencies":{"a":"1.0.0","b":"^2"},"scripts":{"start":"node ."}}'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha512-x"}}}'],
    [
      'requirements.txt',
      '# comment\nrequests[socks]==2.0 ; python_version > "3.8"  # why\n--index-url https://mirror.example/simple\nx==1 \\\n  --hash=sha256:00\n',
    ],
  ]
  const bound: [string, string][] = [
    ['package.json', '{"dependencies":{"a":"file:./a"}}'],
    ['package.json', '{"dependencies":{"a":"./a"}}'],
    ['package.json', '{"scripts":{"postinstall":"node build.js"}}'],
    ['package.json', '{"workspaces":["packages/*"]}'],
    ['package.json', 'not json'],
    ['package-lock.json', '{"packages":{"node_modules/a":{"resolved":"packages/a","link":true}}}'],
    ['requirements.txt', '-e .'],
    ['requirements.txt', '-r other.txt'],
    ['requirements.txt', './wheels/x-1.0-py3-none-any.whl'],
    ['requirements.txt', 'wheels/x-1.0-py3-none-any.whl'],
    ['requirements.txt', 'x @ file:///work/x'],
    ['requirements.txt', '--find-links wheels'],
    ['pyproject.toml', '[project]'],
  ]
  for (const [name, text] of alone)
    assert.equal(needsSources(new Map([[name, text]])), false, `${name}: ${text}`)
  for (const [name, text] of bound)
    assert.equal(needsSources(new Map([[name, text]])), true, `${name}: ${text}`)
})

test('comments of any length are read in the time that it takes to read them', () => {
  // Each of these took longer than anybody lives.
  const line = '#'.repeat(1_000)
  const read = (text: string) => {
    const files = new Map([['requirements.txt', text]])
    return [asksForNothing(files), needsSources(files)]
  }
  assert.deepEqual(read(`${line}\n\n  ${line}\r\n`), [true, false])
  assert.deepEqual(read(`${line}\nrequests # ${line}\n`), [false, false])
  assert.deepEqual(read(`# only\rrequests\n`), [false, false])
  assert.deepEqual(read(`requests${' #'.repeat(5_000_000)}\r-e .`), [false, false])
})
