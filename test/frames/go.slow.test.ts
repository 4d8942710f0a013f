import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { goEnvironment } from '../../src/environments/index.ts'
import { framesSuite } from '../suites/frames.ts'
import { goBuild } from './go-build.ts'
import { spawnShim } from './spawn.ts'

const status = await goEnvironment.probe()

if (!status.ready) test('the go shim keeps to frames', { skip: status.reason }, () => {})
else {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-go-'))
  after(() => rmSync(folder, { recursive: true }))
  cpSync(join(import.meta.dirname, '../fixtures/frames/go'), folder, { recursive: true })
  const { status: code, output } = goBuild(folder, 'Handler')
  if (code !== 0) throw new Error(output)
  framesSuite('go', {
    spawn: () => spawnShim(join(folder, '.atelier/function'), []),
    directory: folder,
    entry: 'Handler',
    broken: [], // what cannot be loaded cannot be compiled, or ends while it starts
  })
}

const HANDLER = 'func Handler(w http.ResponseWriter, r *http.Request)'
const HTTP = 'import "net/http"'

for (const [what, source, entry, says] of [
  ['a function in package main', `package main\n${HTTP}\n${HANDLER} {}`, 'Handler', undefined],
  ['a variable', `package p\n${HTTP}\nvar Mux = http.NewServeMux()`, 'Mux', undefined],
  [
    'code that does not compile',
    `package p\n${HTTP}\n${HANDLER} { x := nothing }`,
    'Handler',
    /handler\.go:3:\d+: undefined: nothing/,
  ],
  ['a syntax error', `package p\n${HTTP}\n${HANDLER} {`, 'Handler', /handler\.go:3:\d+: syntax error/],
  ['another name', `package p\nfunc Other() {}`, 'Handler', /no func or var Handler.*It has: Other/],
  [
    'a main function of its own',
    `package main\n${HTTP}\n${HANDLER} {}\nfunc main() {}`,
    'Handler',
    /func main/,
  ],
  ['a folder that is not there', 'package p', 'lib:Handler', /folder lib.*no Go file/],
  ['an entry out of the package', 'package p', '../x:Handler', /not in the package/],
  ['an entry that is no name', 'package p', 'handler', /capital letter/],
  [
    'a module that is nowhere',
    `package p\nimport _ "example.org/none"\n${HTTP}\n${HANDLER} {}`,
    'Handler',
    /example\.org\/none/,
  ],
] as const)
  test(`a build of ${what} ${says === undefined ? 'makes a binary' : 'fails and says why'}`, {
    skip: status.ready ? false : status.reason,
  }, t => {
    const folder = mkdtempSync(join(tmpdir(), 'atelier-go-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'handler.go'), source)
    const { status: code, output } = goBuild(folder, entry)
    assert.equal(code === 0, says === undefined, output)
    if (says) assert.match(output, says)
    else assert.ok(existsSync(join(folder, '.atelier/function')))
    assert.ok(!existsSync(join(folder, 'zz_atelier_main.go')))
    assert.ok(!existsSync(join(folder, 'atelier_main')))
  })
