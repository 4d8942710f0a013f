/** Mistakes in a package, in each language: the deploy is refused with what the compiler or the check says of them. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { environments } from '../../src/environments/index.ts'
import { folderOf } from '../builder/folder-of.ts'
import { elf, OTHER_MACHINE, OWN_MACHINE } from '../support/elf.ts'
import { ServerProcess } from '../support/server-process.ts'

const states = new Map(
  await Promise.all(environments.map(async each => [each.name, await each.probe()] as const)),
)
const sandbox = existsSync('/usr/bin/bwrap') ? false : 'bubblewrap is not installed'

let server: ServerProcess
before(async () => {
  if (!sandbox) server = await ServerProcess.start()
})
after(() => server?.dispose())

const MISTAKES: readonly (readonly [
  string,
  string,
  Readonly<Record<string, string | Uint8Array>>,
  RegExp,
])[] = [
  [
    'nodejs',
    'a syntax error',
    { 'index.mjs': 'export default () => {\n  return (\n}' },
    /index\.mjs:3[\s\S]*SyntaxError/,
  ],
  [
    'python',
    'a syntax error',
    { 'main.py': 'def handler():\n    return (1 +' },
    /main\.py.*line 2[\s\S]*SyntaxError/,
  ],
  [
    'go',
    'a type error',
    {
      'handler.go':
        'package f\n\nimport "net/http"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) { var n int = "one"; _ = n }\n',
    },
    /handler\.go:5:\d+: cannot use "one"/,
  ],
  [
    'php',
    'a syntax error',
    { 'index.php': '<?php\nfunction handler() { return 1 }' },
    /syntax error.*index\.php on line 2|index\.php.*syntax error/s,
  ],
  ['ruby', 'a syntax error', { 'handler.rb': 'def handler\n  [1, 2\nend\n' }, /handler\.rb:3: syntax error/],
  [
    'java',
    'a type error',
    { 'Main.java': 'public class Main {\n  public String handle() { return 1; }\n}' },
    /Main\.java:2: error: incompatible types/,
  ],
  [
    'dotnet',
    'a type error',
    { 'Function.cs': 'public class Function\n{\n    public string Handle() { return 1; }\n}' },
    /Function\.cs\(3,\d+\): error CS0029: .*string/,
  ],
  [
    'binary',
    'a program for another machine',
    { bootstrap: elf(OTHER_MACHINE) },
    /bootstrap is built for \S+, and this server is/,
  ],
  [
    'binary',
    'a loader that is not there',
    { bootstrap: elf(OWN_MACHINE, '/lib/ld-other.so.1') },
    /needs \/lib\/ld-other\.so\.1/,
  ],
  [
    'binary',
    'an interpreter that is not there',
    { 'run.sh': '#!/usr/bin/no-such-shell\n' },
    /"\/usr\/bin\/no-such-shell", which is not on this server/,
  ],
  [
    'binary',
    'an interpreter that env does not find',
    { 'run.sh': '#!/usr/bin/env no-such-shell\n' },
    /"no-such-shell", which is not on this server/,
  ],
  ['binary', 'line ends of Windows', { 'run.sh': '#!/bin/sh\r\necho\r\n' }, /line ends of Unix/],
  ['binary', 'no first line', { 'run.sh': 'echo hello\n' }, /neither a program for Linux nor a script/],
]

for (const [environment, what, files, says] of MISTAKES) {
  const status = states.get(environment)
  test(`${environment}: ${what} is refused with its place and its reason`, {
    skip: sandbox || (status?.ready === false ? status.reason : false),
  }, async t => {
    const folder = folderOf(t, files)
    if (environment === 'binary') for (const name of Object.keys(files)) chmodSync(join(folder, name), 0o755)
    const { code, stderr } = await server.cli('deploy', folder, '--name', 'mistaken')
    assert.notEqual(code, 0)
    assert.match(stderr, says)
  })
}

test('binary: a script without the right to be executed is refused with the command that gives it', {
  skip: sandbox,
}, async t => {
  const folder = folderOf(t, { 'run.sh': '#!/bin/sh\necho hello\n' })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'mistaken')
  assert.notEqual(code, 0)
  assert.match(stderr, /chmod \+x run\.sh/)
})
