import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { javaEnvironment } from '../../src/environments/index.ts'
import { ServerProcess } from '../support/server-process.ts'
import { folderOf } from './folder-of.ts'

const status = await javaEnvironment.probe()
const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : status.ready
    ? false
    : status.reason
const noMaven = skip || (existsSync('/usr/bin/mvn') ? false : 'maven is not installed')
const examples = join(import.meta.dirname, '../../examples')

const IMPORT = 'import atelier.*;'
const HELLO = `${IMPORT} public class Main { public String handle(Request r) { return "hello"; } }`

let server: ServerProcess
before(async () => {
  if (!skip) server = await ServerProcess.start()
})
after(() => server?.dispose())

test('the CSV example is built with its dependency by Maven, and sums up', { skip: noMaven }, async () => {
  const { code, stderr } = await server.cli('deploy', join(examples, 'csv-totals'))
  assert.equal(code, 0, stderr)
  const penguins = readFileSync(join(examples, 'csv-report/penguins.csv'))
  const url = `${server.routerUrl}/default/default/csv-totals`
  const answer = await fetch(`${url}?by=species&of=body_mass_g`, { method: 'POST', body: penguins })
  const { groups, skipped } = (await answer.json()) as {
    groups: Record<string, { count: number; least: number; greatest: number }>
    skipped: number
  }
  assert.deepEqual(Object.keys(groups), ['Adelie', 'Chinstrap', 'Gentoo'])
  assert.deepEqual([groups['Adelie']?.count, groups['Gentoo']?.greatest, skipped], [151, 6300, 2])
  const wrong = await fetch(`${url}?by=species&of=colour`, { method: 'POST', body: penguins })
  assert.equal(wrong.status, 400)
  assert.match(await wrong.text(), /no column colour/)
})

test('sources are compiled, and run within the memory that every function has', { skip }, async t => {
  const folder = folderOf(t, { 'Main.java': HELLO })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'java-hello')
  assert.equal(code, 0, stderr)
  assert.equal((await server.cli('invoke', 'java-hello')).stdout, 'hello')
})

test('a jar that the package brings is found by the compiler and by the code', { skip }, async t => {
  const library = folderOf(t, {
    'org/example/Greeting.java':
      'package org.example; public class Greeting { public static String of(String who) { return "Hello from the " + who + "!"; } }',
  })
  const jar = join(library, 'greeting.jar')
  execFileSync('javac', ['org/example/Greeting.java'], { cwd: library })
  execFileSync('jar', ['cf', jar, 'org/example/Greeting.class'], { cwd: library })
  const main = `${IMPORT} public class Main { public String handle(Request r) { return org.example.Greeting.of("jar"); } }`
  const folder = folderOf(t, { 'Main.java': main, 'lib/greeting.jar': readFileSync(jar) })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'java-jar')
  assert.equal(code, 0, stderr)
  assert.equal((await server.cli('invoke', 'java-jar')).stdout, 'Hello from the jar!')
})

test('a function that holds more than its memory ends with the reason, and others live on', {
  skip,
}, async t => {
  const hungry = `${IMPORT} import java.util.*; public class Main { static List<byte[]> all = new ArrayList<>();
    public String handle(Request r) { while (true) { byte[] more = new byte[1 << 20]; Arrays.fill(more, (byte) 1); all.add(more); } } }`
  const folder = folderOf(t, { 'Main.java': hungry })
  assert.equal((await server.cli('deploy', folder, '--name', 'java-hungry')).code, 0)
  const { code, stderr } = await server.cli('invoke', 'java-hungry')
  assert.notEqual(code, 0)
  assert.match(stderr, /memory/i)
})

for (const [what, files, says] of [
  [
    'code that does not compile',
    { 'Main.java': `${IMPORT} public class Main { public String handle(Request r) { return 1 } }` },
    /Main\.java:1: error: ';' expected/,
  ],
  ['a class without a handler', { 'Main.java': 'public class Main {}' }, /no handler.*Request/],
  ['a class that is not there', { 'Other.java': 'public class Other {}', 'Main.java': 'class X {}' }, /Main/],
] as const)
  test(`${what} fails the build and says why`, { skip }, async t => {
    const folder = folderOf(t, files)
    const { code, stderr } = await server.cli('deploy', folder, '--name', 'java-wrong')
    assert.notEqual(code, 0)
    assert.match(stderr, says)
  })

test('a dependency that does not exist is told with its name', { skip: noMaven }, async t => {
  const pom = readFileSync(join(examples, 'csv-totals/pom.xml'), 'utf8').replace('1.10.0', '999.0.0')
  const folder = folderOf(t, { 'pom.xml': pom, 'src/main/java/Main.java': HELLO })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'java-wrong')
  assert.notEqual(code, 0)
  assert.match(stderr, /commons-csv:jar:999\.0\.0/)
})
