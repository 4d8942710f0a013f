import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CATALOGUE } from '../../src/cli/catalogue.ts'
import { Context } from '../../src/cli/context.ts'
import { createProgram, expand } from '../../src/cli/program.ts'
import { type CommandSpec, isGroup } from '../../src/cli/spec.ts'
import { atelier, freshHome } from './fixture.ts'

const commands: { readonly path: string; readonly spec: CommandSpec }[] = []
for (const entry of CATALOGUE) {
  const spec = await entry.load()
  if (isGroup(spec))
    for (const one of spec.commands) commands.push({ path: `${spec.name} ${one.name}`, spec: one })
  else commands.push({ path: spec.name, spec })
}

/** The words after `atelier` of an example, as a shell would split them: of its own part of a pipe, without redirections. */
function wordsOf(example: string): string[] {
  const own = example
    .split(' | ')
    .map(part => /^(?:[A-Z_]+=\S+ )?(?:eval "\$\()?atelier\b ?(.*)$/.exec(part)?.[1])
    .find(one => one !== undefined)
  assert.ok(own !== undefined, example)
  const words = [...own.matchAll(/'([^']*)'|"([^"]+)"|([^\s"]+)/g)].map(
    match => match[1] ?? match[2] ?? match[3]!,
  )
  const end = words.indexOf('>')
  return (end < 0 ? words : words.slice(0, end)).map(word => word.replace(/\)$/, ''))
}

test('every command says what it does and shows at least one example', () => {
  for (const { path, spec } of commands) {
    assert.match(spec.summary, /^[A-Z].*[^.]$/, path)
    assert.ok(spec.examples.length > 0, `${path} has no example`)
    for (const [line] of spec.examples) assert.match(line, /\batelier\b/, path)
  }
})

test('the list of commands says the same of each as the command itself', async () => {
  for (const entry of CATALOGUE) {
    const spec = await entry.load()
    assert.equal(spec.name, entry.name)
    assert.equal(spec.summary, entry.summary)
    assert.deepEqual(spec.aliases ?? [], entry.aliases ?? [])
  }
})

test('lists take a limit that says what it is without it, and what deletes can be told not to ask', () => {
  for (const { path, spec } of commands) {
    const options = spec.options ?? []
    if (spec.name === 'list' && path !== 'environment list')
      assert.ok(
        options.some(one => one.flags.includes('--limit')),
        path,
      )
    if (spec.name === 'delete')
      assert.ok(
        options.some(one => one.flags === '-y, --yes'),
        path,
      )
    for (const one of options) if (one.flags.includes('--limit')) assert.match(one.help, /\(default: /, path)
    for (const one of options) assert.doesNotMatch(one.help, /\(default ?:? ?\)/, `${path} ${one.flags}`)
  }
})

test('every command that a message or a page names is there', async () => {
  const known = new Set(['help', ...CATALOGUE.flatMap(one => [one.name, ...(one.aliases ?? [])])])
  const files = [
    ...(await readdir('src', { recursive: true }))
      .filter(one => one.endsWith('.ts'))
      .map(one => join('src', one)),
    ...(await readdir('docs')).map(one => join('docs', one)),
    'README.md',
  ]
  for (const file of files)
    for (const [said, name] of (await readFile(file, 'utf8')).matchAll(/["`$(]atelier ([a-z][a-z-]*)/g))
      assert.ok(known.has(name!), `${file}: ${said}`)
})

test('every example is a command line that its command takes', async () => {
  for (const { path, spec } of commands) {
    for (const [line] of spec.examples) {
      const words = wordsOf(line)
      const program = await createProgram(words, new Context({}, new AbortController().signal))
      let reached = ''
      const intercept = (command: typeof program, name: string): void => {
        command.action(() => {
          reached = name
        })
        for (const one of command.commands) intercept(one, `${name} ${one.name()}`.trim())
      }
      for (const one of program.commands) intercept(one, one.name())
      await program
        .parseAsync(expand(words), { from: 'user' })
        .catch((error: unknown) => assert.fail(`${line}: ${String(error)}`))
      assert.equal(reached, path, line)
    }
  }
})

test('a misspelt command, option or subcommand is answered with the one that was meant, and exit code 2', async t => {
  const home = await freshHome(t)
  for (const [args, meant] of [
    [['deplyo'], /Did you mean deploy/],
    [['help', 'deplyo'], /unknown command 'deplyo'\nhint: Did you mean deploy\?/],
    [['foo'], /unknown command 'foo'\nhint: "atelier --help" shows/],
    [
      ['trigger', 'create'],
      /missing required argument 'trigger'\nhint: "atelier trigger create --help" shows/,
    ],
    [['function', 'lsit'], /\nhint: Did you mean list\?\n$/],
    [['deploy', '--memroy', '1'], /Did you mean --memory/],
  ] as const) {
    const { code, stderr } = await atelier(home, args)
    assert.equal(code, 2)
    assert.match(stderr, meant)
  }
})

test('help goes as deep as the words that follow it', async t => {
  const { stdout } = await atelier(await freshHome(t), ['help', 'trigger', 'create'])
  assert.match(stdout, /^Usage: atelier trigger create /)
})

test('a noun alone is its list', () => {
  assert.deepEqual(expand(['-o', 'json', 'functions']), ['-o', 'json', 'function', 'list'])
  assert.deepEqual(expand(['--project', 'app', 'app']), ['--project', 'app', 'app', 'list'])
  assert.deepEqual(expand(['app', '--help']), ['app', '--help'])
  assert.deepEqual(expand(['version']), ['--version'])
})

test('help has no colour when nobody looks, and the version is printed', async t => {
  const home = await freshHome(t)
  const help = await atelier(home, ['deploy', '--help'])
  assert.equal(help.code, 0)
  assert.ok(!help.stdout.includes('\x1b'))
  assert.match((await atelier(home, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

test('docs/cli.md is what the commands say', () => {
  const root = join(import.meta.dirname, '..', '..')
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'cli-docs.ts'), '--check'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})
