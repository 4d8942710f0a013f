/** docs/adding-a-language.md, followed: a toy language in a folder of its own, taken from the page. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Environment, environments, findEnvironments } from '../../src/environments/index.ts'
import { folderOf } from '../builder/folder-of.ts'
import { spawnShim } from '../frames/spawn.ts'
import { framesSuite } from '../suites/frames.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import { makeHome, removeHome, ServerProcess } from '../support/server-process.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures/languages/steps')
const PAGE = join(import.meta.dirname, '../../docs/adding-a-language.md')
const GREETING = 'on /*\n  log somebody greets\n  say Hello, {query.name}!\n'

const [, source = ''] =
  /<!-- file: environment\.mjs -->\n\n```js\n([\s\S]*?)^```$/m.exec(readFileSync(PAGE, 'utf8')) ?? []
const languages = mkdtempSync(join(tmpdir(), 'atelier-languages-'))
after(() => rmSync(languages, { recursive: true }))
mkdirSync(join(languages, 'steps'))
writeFileSync(join(languages, 'steps/environment.mjs'), source)
copyFileSync(join(FIXTURE, 'shim.pl'), join(languages, 'steps/shim.pl'))

const [steps] = await findEnvironments(languages, environments)
const status = await (steps as Environment).probe()
const noPerl = status.ready ? false : status.reason
const skip = existsSync('/usr/bin/bwrap') ? noPerl : 'bubblewrap is not installed'

if (noPerl) test('the shim of the toy language keeps to frames', { skip: noPerl }, () => {})
else
  framesSuite('steps', {
    spawn: () => spawnShim('/usr/bin/perl', [join(languages, 'steps/shim.pl')]),
    directory: join(FIXTURE, 'suite'),
    entry: 'suite.steps',
    lacks: ['webSocket'],
    broken: [
      { entry: 'wrong.steps', says: /wrong\.steps:2: there is no step "dance"/ },
      { entry: 'none.steps', says: /no such file/ },
      { entry: 'empty.steps', says: /has no steps/ },
    ],
  })

describe('a server with a language of its own', { skip }, () => {
  let server: ServerProcess
  before(async () => {
    server = await ServerProcess.start({ env: { ATELIER_LANGUAGES: languages } })
  })
  after(() => server?.dispose())

  test('a package is found to be of it, deployed, called and logged', async t => {
    const { code, stderr } = await server.cli(
      'deploy',
      folderOf(t, { 'main.steps': GREETING }),
      '--name',
      'greet',
    )
    assert.equal(code, 0, stderr)
    assert.equal((await server.cli('invoke', 'greet', '--path', '/?name=Ada')).stdout, 'Hello, Ada!')
    assert.match((await server.cli('logs', 'greet')).stdout, /somebody greets/)
  })

  test('calls after the first come to instances that were kept ready', async t => {
    for (const name of ['one', 'two'])
      assert.equal(
        (await server.cli('deploy', folderOf(t, { 'main.steps': GREETING }), '--name', name)).code,
        0,
      )
    for (const name of ['one', 'two', 'one'])
      assert.equal((await server.cli('invoke', name, '--path', '/?name=Eve')).stdout, 'Hello, Eve!')
  })

  test('a mistake in the code is refused with its line', async t => {
    const folder = folderOf(t, { 'main.steps': 'on /\n  dance\n' })
    const { code, stderr } = await server.cli('deploy', folder, '--name', 'wrong')
    assert.notEqual(code, 0)
    assert.match(stderr, /main\.steps:2: there is no step "dance"; there are: .*say/)
  })

  test('the list of environments and atelier doctor have it', async () => {
    assert.match((await server.cli('environment', 'list')).stdout, /^steps +Perl 5\.\S+ +ready/m)
    const { stdout } = spawnSync(process.execPath, [BIN, 'doctor'], {
      encoding: 'utf8',
      env: bareEnvironment({ HOME: server.home, ATELIER_LANGUAGES: languages }),
    })
    assert.match(stdout, /^ok +steps +Perl 5\./m)
  })
})

for (const [what, file, text, says] of [
  [
    'that cannot be loaded',
    'environment.mjs',
    'export const = 1',
    /a\/environment\.mjs: cannot be loaded: SyntaxError/,
  ],
  ['without an environment', 'environment.mjs', 'export const x = 1', /exports no object with a "probe"/],
  [
    'whose environment is not whole',
    'environment.mjs',
    'export const e = { name: "a", probe() {} }',
    /needs a text as "description"/,
  ],
  [
    'with a name that is taken',
    'environment.mjs',
    source.replace("name: 'steps'", "name: 'go'"),
    /there is an environment "go" already/,
  ],
] as const)
  test(`a language ${what} is refused with the file and the reason`, async t => {
    const folder = folderOf(t, { [`a/${file}`]: text })
    await assert.rejects(findEnvironments(folder, environments), says)
  })

test('a folder of languages that others may write to is refused', async t => {
  const folder = folderOf(t, { 'a/environment.mjs': source })
  chmodSync(join(folder, 'a'), 0o777)
  await assert.rejects(findEnvironments(folder, environments), /a: .*others may write to it/)
})

test('the server does not start with a folder of languages that is not there, and says so', async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  const start = ServerProcess.start({ home, env: { ATELIER_LANGUAGES: '/nowhere/at-all' } })
  await assert.rejects(start, /\/nowhere\/at-all: cannot be read/)
})
