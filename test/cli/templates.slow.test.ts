import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseManifest } from '../../src/cli/deploy/manifest-parser.ts'
import { TEMPLATES_FOLDER, templateNames } from '../../src/cli/templates.ts'
import { startDev } from './dev-fixture.ts'
import { atelier, freshHome } from './fixture.ts'

const PROGRAMS = {
  dotnet: 'mcs',
  java: 'javac',
  python: 'python3',
  php: 'php',
  ruby: 'ruby',
  shell: 'python3',
} as const

/** Why a template cannot run on this machine. */
function missing(template: string): string | false {
  const language = template.replace(/-.*/, '') as keyof typeof PROGRAMS
  const program = PROGRAMS[language]
  return (
    program !== undefined && spawnSync(program, ['--version']).status !== 0 && `${program} is not installed`
  )
}

/** What each template must answer once it runs: a call and its result. */
const CALLS: Readonly<
  Record<string, { readonly path: string; readonly body?: string; readonly expected: unknown }>
> = {
  'shell-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'nodejs-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'nodejs-typescript': {
    path: '/?value=2&from=km&to=m',
    expected: { value: 2, from: 'km', to: 'm', result: 2000 },
  },
  'nodejs-api': { path: '/notes', body: '{"text":"milk"}', expected: { id: '1', text: 'milk' } },
  'dotnet-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'java-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'php-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'ruby-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'python-hello': { path: '/?name=Ada', expected: { message: 'Hello, Ada!', version: 0 } },
  'python-csv': {
    path: '/',
    body: 'a,b\n1,x\n3,y\n',
    expected: { rows: 2, columns: { a: { count: 2, least: 1, mean: 2, greatest: 3 } } },
  },
}

/** What `atelier dev` does not run: test/e2e/languages.slow.test.ts deploys them. */
const COMPILED = ['go-hello']

test('every template has a README, a manifest that is right, and a call that is tried below', async () => {
  assert.deepEqual([...Object.keys(CALLS), ...COMPILED].sort(), templateNames())
  for (const name of templateNames()) {
    const folder = join(TEMPLATES_FOLDER, name)
    assert.ok((await readdir(folder)).includes('README.md'), name)
    const manifest = parseManifest(await readFile(join(folder, 'atelier.json'), 'utf8'), 'atelier.json')
    assert.equal(manifest.name, name)
    assert.ok(manifest.description)
  }
})

for (const [name, { path, body, expected }] of Object.entries(CALLS)) {
  test(`a function made from ${name} runs as it is`, {
    timeout: 30_000,
    skip: missing(name),
  }, async t => {
    const home = await freshHome(t)
    const made = await atelier(home, ['init', name, 'mine'])
    assert.equal(made.code, 0, made.stderr)
    assert.equal(JSON.parse(await readFile(join(home, 'mine', 'atelier.json'), 'utf8')).name, 'mine')
    const dev = await startDev(t, home, join(home, 'mine'))
    const answer = await fetch(dev.url + path, body === undefined ? {} : { method: 'POST', body })
    assert.deepEqual(await answer.json(), expected)
  })
}

test('after the making, dev is named only where it runs what was made', async t => {
  const home = await freshHome(t)
  assert.match(
    (await atelier(home, ['init', 'php-hello', 'mine'])).stdout,
    /atelier dev mine\n {2}atelier deploy mine/,
  )
  assert.match((await atelier(home, ['init', 'go-hello', 'other'])).stdout, /Next:\n {2}atelier deploy other/)
})

test('a folder that has files of the template is left as it is', async t => {
  const home = await freshHome(t)
  assert.equal((await atelier(home, ['init', 'nodejs-hello', 'mine'])).code, 0)
  const { code, stderr } = await atelier(home, ['init', 'python-hello', 'mine'])
  assert.equal(code, 6)
  assert.match(stderr, /mine has README\.md, atelier\.json already/)
  assert.ok(!(await readdir(join(home, 'mine'))).includes('main.py'))
})

test('a misspelt template is answered with the one that was meant', async t => {
  const home = await freshHome(t)
  const { code, stderr } = await atelier(home, ['init', 'nodejs-helo'])
  assert.equal(code, 2)
  assert.match(stderr, /Did you mean nodejs-hello\?/)
})
