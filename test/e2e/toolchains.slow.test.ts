/** A server on a machine where programs are missing: they are hidden from it, and from it alone, in a mount namespace. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { folderOf } from '../builder/folder-of.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import { ServerProcess } from '../support/server-process.ts'

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/local/go/bin', '/usr/lib/go/bin']

/** Starts another program that cannot execute these. */
function without(...programs: string[]): string[] {
  const hidden = programs.flatMap(name => FOLDERS.map(folder => join(folder, name))).filter(existsSync)
  const script = `${hidden.map(path => `mount --bind /dev/null ${path}`).join(' && ')} && exec "$@"`
  return [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    hidden.length > 0 ? script : 'exec "$@"',
    'sh',
  ]
}

const possible =
  process.getuid?.() === 0 &&
  existsSync('/usr/bin/bwrap') &&
  spawnSync('unshare', ['--mount', 'true']).status === 0
const skip = possible ? false : 'only root can hide programs, and bubblewrap must be there'

const LANGUAGES = [
  { name: 'go', files: { 'handler.go': 'package f' }, program: 'go', says: /Go 1\.21.*install.*golang-go/ },
  {
    name: 'php',
    files: { 'index.php': '<?php' },
    program: 'php',
    says: /PHP 8\.1.*install the package php-cli/,
  },
  { name: 'ruby', files: { 'handler.rb': '' }, program: 'ruby', says: /Ruby 3\.0.*install the package ruby/ },
  {
    name: 'java',
    files: { 'Main.java': 'class Main {}' },
    program: 'javac',
    says: /Java 17.*install the package default-jdk-headless/,
  },
  {
    name: 'dotnet',
    files: { 'Function.cs': 'class Function {}' },
    program: 'mono',
    says: /SDK of \.NET.*install the package mono-mcs/,
  },
] as const
const HIDDEN = [...LANGUAGES.map(each => each.program), 'dotnet', 'mono-sgen', 'javac', 'java']

describe('where the toolchains of languages are missing', { skip }, () => {
  let server: ServerProcess
  before(async () => {
    server = await ServerProcess.start({ under: without(...HIDDEN) })
  })
  after(() => server?.dispose())

  for (const { name, files, says } of LANGUAGES)
    test(`a deploy of ${name} says what to install`, async t => {
      const { code, stderr } = await server.cli('deploy', folderOf(t, files), '--name', `no-${name}`)
      assert.notEqual(code, 0)
      assert.match(stderr, new RegExp(`The environment "${name}" cannot run here`))
      assert.match(stderr, says)
    })

  test('the list of environments has the reason, and other languages work', async t => {
    const { json } = await server.api<{ items: { name: string; ready: boolean; reason?: string }[] }>(
      'GET',
      '/v1/environments',
    )
    for (const { name, says } of LANGUAGES) {
      const seen = json.items.find(each => each.name === name)
      assert.equal(seen?.ready, false, name)
      assert.match(seen?.reason ?? '', says)
    }
    const folder = folderOf(t, { 'index.mjs': "export default () => 'still here'" })
    assert.equal((await server.cli('deploy', folder, '--name', 'node')).code, 0)
    assert.equal((await server.cli('invoke', 'node')).stdout, 'still here')
  })

  test('atelier doctor has a row for each with what to install', () => {
    const [program, ...args] = [...without(...HIDDEN), process.execPath]
    const { stdout } = spawnSync(program, [...args, BIN, 'doctor', '-o', 'json'], {
      encoding: 'utf8',
      env: bareEnvironment({ HOME: server.home, ATELIER_HOME: server.home }),
    })
    const { items } = JSON.parse(stdout) as { items: { name: string; state: string; remedy?: string }[] }
    for (const { name, says } of LANGUAGES) {
      const row = items.find(each => each.name === name)
      assert.equal(row?.state, 'warn', name)
      assert.match(row?.remedy ?? '', says)
    }
  })
})

const TOOLS = [
  {
    name: 'composer',
    needs: 'php',
    files: { 'composer.json': '{"require":{"a/b":"*"}}', 'index.php': '<?php function handler() {}' },
    says: /composer\.json, and Composer is not on this server: install the package composer/,
  },
  {
    name: 'bundle',
    needs: 'ruby',
    files: { Gemfile: 'gem "words"', 'handler.rb': 'def handler = 1' },
    says: /Gemfile, and Bundler is not on this server: install the package ruby-bundler/,
  },
  {
    name: 'mvn',
    needs: 'javac',
    files: { 'pom.xml': '<project/>', 'src/main/java/Main.java': 'class Main {}' },
    says: /pom\.xml, and Maven is not on this server: install the package maven/,
  },
] as const

describe('where only the tools for dependencies are missing', { skip }, () => {
  let server: ServerProcess
  before(async () => {
    server = await ServerProcess.start({ under: without(...TOOLS.map(each => each.name)) })
  })
  after(() => server?.dispose())

  for (const { name, needs, files, says } of TOOLS)
    test(`a package that needs ${name} says what to install`, {
      skip: FOLDERS.some(folder => existsSync(join(folder, needs))) ? false : `${needs} is not installed`,
    }, async t => {
      const { code, stderr } = await server.cli('deploy', folderOf(t, files), '--name', `no-${name}`)
      assert.notEqual(code, 0)
      assert.match(stderr, says)
    })
})
